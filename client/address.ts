import { InvalidArgument } from './errors.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** 'a:9092,b:9092' or a list of such. @throws InvalidArgument */
export function parseBootstrap(bootstrap: string | readonly string[]): readonly Address[] {
  const parts = typeof bootstrap === 'string' ? [bootstrap] : bootstrap
  const addresses = parts
    .flatMap((part) => part.split(','))
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseAddress)
  if (addresses.length === 0) throw new InvalidArgument('bootstrap must name at least one HOST:PORT')
  return addresses
}

/** 'host:port' or '[v6]:port'; the port is 9092 when absent. @throws InvalidArgument */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/]+))(?::(\d{1,5}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3] ?? 9092)
  if (host === undefined || port > 65535) {
    throw new InvalidArgument(`'${text}' is not HOST:PORT, such as 127.0.0.1:9092`)
  }
  return { host, port }
}

export function addressText(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
