/** How a handler turns a refusal into the fields of a response. */
import { errorCode } from '../base/error-codes.ts'
import { Refused } from '../base/errors.ts'

export interface ErrorFields {
  readonly errorCode: number
  readonly errorMessage: string | null
}

export const noError: ErrorFields = { errorCode: 0, errorMessage: null }

/** Runs one part of a request (a topic, a resource): its refusal becomes that part's error, any other error goes on. */
export async function refusedAsError<T>(
  act: () => Promise<T>,
  refused: (error: ErrorFields) => T,
): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return refused(errorFields(error))
  }
}

/**
 * Calls `act` once for everything that is asked, and says whether it stands in the request more than once: Kafka answers such a
 * thing with one error for all its entries, wherever the order of two wishes for one thing would be anybody's guess.
 */
export function eachOnce<Asked, Answer>(
  asked: readonly Asked[],
  keyOf: (one: Asked) => string,
  act: (one: Asked, isTwice: boolean) => Answer,
): Answer[] {
  const byKey = new Map<string, { readonly one: Asked; isTwice: boolean }>()
  for (const one of asked) {
    const known = byKey.get(keyOf(one))
    if (known === undefined) byKey.set(keyOf(one), { one, isTwice: false })
    else known.isTwice = true
  }
  return [...byKey.values()].map(({ one, isTwice }) => act(one, isTwice))
}

export function errorFields(refused: Refused): ErrorFields {
  return {
    errorCode: errorCode(refused.code),
    errorMessage: refused.detail === '' ? refused.code : refused.detail,
  }
}
