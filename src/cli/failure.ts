/** How a command ends when it does not succeed: a sentence on stderr and an exit code. */

export const exitCodes = { done: 0, failed: 1, usage: 2 } as const

/** The sentence is for the person at the terminal; there is no stack trace to go with it. */
export class Failure extends Error {
  override name = 'Failure'
  readonly exitCode: number = exitCodes.failed
}

/** The command line or a setting is wrong; the sentence names the flag or the setting. */
export class WrongUsage extends Failure {
  override name = 'WrongUsage'
  override readonly exitCode = exitCodes.usage
}

/** The code that a system call failed with, looked for along the causes: 'ECONNREFUSED', 'EADDRINUSE'. */
export function systemCode(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return code
  }
  return undefined
}
