/** Why a replica does not do what it is asked. */
import { type Faulted, Refused } from '../base/errors.ts'

/** What was taken may yet be committed by the next leader, or not: nobody here can say. */
export function leadershipLost(): Refused {
  return new Refused('REQUEST_TIMED_OUT', 'leadership was lost before this was committed; it may yet be')
}

export function notLeader(replica: string): Refused {
  return new Refused('NOT_LEADER_OR_FOLLOWER', `this broker does not lead '${replica}'`)
}

export function isClosed(replica: string): Refused {
  return new Refused('NOT_LEADER_OR_FOLLOWER', `'${replica}' is closed`)
}

export function isOffline(replica: string, fault: Faulted): Refused {
  return new Refused('KAFKA_STORAGE_ERROR', `'${replica}' is offline: ${fault.message}`)
}
