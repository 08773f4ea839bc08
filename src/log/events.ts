/** What a log has to say to its operator. Names are stable: alerts are built on them. */
export interface LogEvent {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly event: LogEventName
  /** A sentence. */
  readonly message: string
  readonly folder: string
  readonly [detail: string]: unknown
}

export type LogEventName =
  /** Bytes past the durable barrier were torn by a crash, and cut. */
  | 'log.tail.cut'
  /** A whole segment that no acknowledged record was in, put aside as `*.cut`. */
  | 'log.segment.aside'
  /** An index did not fit its segment and was built again. */
  | 'log.index.rebuilt'
  /** The barrier's file is unreadable: damage cannot be told from a torn tail. */
  | 'log.barrier.damaged'
  /** An image is damaged and was passed over. */
  | 'log.image.damaged'
  /** The log was not closed; it was checked. */
  | 'log.recovered'
  /** A write or a sync failed: nothing is written to this log any more. */
  | 'log.faulted'

export type OnLogEvent = (event: LogEvent) => void
