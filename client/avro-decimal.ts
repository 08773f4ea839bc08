/**
 * Decimals as text, exactly: never by way of a number, which has no 0.1. Their bytes are the digits as one whole number, two's
 * complement, big endian; the schema's scale says where the point goes.
 * @source Avro 1.11, "Logical Types", "Decimal"
 */

/** '-12.50' of -1250 and scale 2. */
export function decimalOf(bytes: Buffer, scale: number): string {
  if (bytes.length === 0) throw new Error('a decimal of no bytes')
  const unscaled = BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex')}`))
  const digits = `${unscaled < 0n ? -unscaled : unscaled}`.padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return `${unscaled < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`
}

/**
 * The bytes of it: `size` of them, or as few as can be when that is null.
 * @throws Error when it is none, or has digits that the schema has no room for: nothing is rounded
 */
export function unscaledOf(value: unknown, precision: number, scale: number, size: number | null): Buffer {
  const parts = typeof value === 'string' ? /^(-?)(\d+)(?:\.(\d+))?$/.exec(value) : null
  if (parts === null) throw new Error('not a decimal')
  const [, sign = '', whole = '', fraction = ''] = parts
  const behind = fraction.replace(/0+$/, '')
  if (behind.length > scale) throw new Error(`more than ${scale} digits behind the point`)
  const digits = `${whole}${behind.padEnd(scale, '0')}`.replace(/^0+/, '')
  if (digits.length > precision) throw new Error(`more than ${precision} digits`)
  const unscaled = BigInt(`${sign}${digits || '0'}`)
  const bytes = size ?? bytesFor(unscaled)
  return Buffer.from(
    BigInt.asUintN(8 * bytes, unscaled)
      .toString(16)
      .padStart(2 * bytes, '0'),
    'hex',
  )
}

/** One bit of them is the sign's. */
function bytesFor(unscaled: bigint): number {
  const magnitude = unscaled < 0n ? -unscaled - 1n : unscaled
  return Math.floor(magnitude === 0n ? 0 : magnitude.toString(2).length / 8) + 1
}
