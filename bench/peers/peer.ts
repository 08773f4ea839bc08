/** What is measured side by side: brokers that speak Kafka's protocol, and their processes on this machine. */
import { Brokers } from '../cluster/brokers.ts'
import { LoadConnection } from '../load/connection.ts'

export interface Peer {
  readonly name: 'lograft' | 'kafka'
  readonly bootstrap: string
  readonly pids: readonly number[]
  /** From the start to the last of its brokers that is ready. */
  readonly readyMs: number
  stop(): Promise<void>
}

/** Starts a peer of so many brokers. */
export type StartPeer = (count: number) => Promise<Peer>

export interface Peers {
  readonly lograft: StartPeer
  readonly kafka: StartPeer
}

export async function startLograft(count: number): Promise<Peer> {
  const brokers = await Brokers.start(count)
  return {
    name: 'lograft',
    bootstrap: brokers.bootstrap,
    pids: brokers.pids,
    readyMs: Math.max(...brokers.processes.map(({ readyMs }) => readyMs)),
    stop: () => brokers.stop(),
  }
}

/** A peer that is measured, with a connection for what is not load. */
export interface Measured extends Peer {
  readonly control: LoadConnection
}

/** One of each, side by side, for as long as the work takes. */
export async function withPeers<T>(
  { lograft, kafka }: Peers,
  brokers: number,
  work: (ours: Measured, theirs: Measured) => Promise<T>,
): Promise<T> {
  return await withPeer(lograft, brokers, (ours) => withPeer(kafka, brokers, (theirs) => work(ours, theirs)))
}

export async function withPeer<T>(
  start: StartPeer,
  brokers: number,
  work: (peer: Measured) => Promise<T>,
): Promise<T> {
  const peer = await start(brokers)
  try {
    const control = await LoadConnection.open(peer.bootstrap)
    const done = await work({ ...peer, control })
    control.close()
    return done
  } finally {
    await peer.stop()
  }
}
