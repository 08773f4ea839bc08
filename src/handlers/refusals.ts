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

export function errorFields(refused: Refused): ErrorFields {
  return {
    errorCode: errorCode(refused.code),
    errorMessage: refused.detail === '' ? refused.code : refused.detail,
  }
}
