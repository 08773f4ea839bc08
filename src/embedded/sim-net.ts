/**
 * TCP in memory: machines with addresses, and between any two of them two paths, one each way. Streams keep their order and lose
 * nothing but with their connection; everything else may happen to them, by the seed:
 *
 *   - bytes come in pieces of any size, late, and as slowly as the path is narrow (`shape`)
 *   - a path is clogged for a while, or cut until it is healed: one way, or both; what was sent meanwhile comes afterwards
 *   - a connection is reset, when some of what is on the way still arrives
 *   - a process is killed: its connections are reset. Or a machine vanishes, without a word (half-open)
 *   - a process stands still: what comes for it waits, as far as there is room
 */
import type { Clock, Connection, Listener, Net } from '../io/world.ts'
import type { SeededRandom } from './seeded-random.ts'
import { netFault, SimConnection } from './sim-connection.ts'
import { Gate } from './sim-gate.ts'
import { type PathShape, quickPath, SimPath } from './sim-path.ts'

export interface SimNetOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  /** Of all paths, unless said otherwise. */
  readonly shape?: Partial<PathShape>
}

const firstPort = 40_000

interface Machine {
  readonly address: string
  readonly listeners: Map<number, (connection: Connection) => void>
  readonly connections: Set<SimConnection>
  /** Connections of before it vanished. */
  readonly forgotten: Set<SimConnection>
  /** Shut while its process stands still. */
  readonly gate: Gate
  isDown: boolean
  /** Goes up when its process ends: what that still does, too late, has no effect. */
  life: number
}

export class SimNet {
  readonly #clock: Clock
  readonly #random: SeededRandom
  #shape: PathShape
  readonly #machines = new Map<string, Machine>()
  readonly #paths = new Map<string, SimPath>()
  #nextPort = firstPort

  constructor({ clock, random, shape }: SimNetOptions) {
    this.#clock = clock
    this.#random = random.fork('net')
    this.#shape = { ...quickPath, ...shape }
  }

  /** The net as the process has it that now runs on the machine at this address. */
  at(address: string): Net {
    const machine = this.#machine(address)
    const { life } = machine
    const alive = <T>(act: () => Promise<T>): Promise<T> =>
      life === machine.life && !machine.isDown ? act() : new Promise<never>(() => {})
    return {
      listen: ({ port }, onConnection) => alive(() => this.#listen(machine, port, onConnection)),
      connect: (to) => alive(() => this.#connect(machine, to)),
    }
  }

  shape(from: string, to: string, shape: Partial<PathShape>): void {
    const path = this.#path(from, to)
    path.shape = { ...path.shape, ...shape }
  }

  /** All paths, those that are not known yet, too. */
  shapeAll(shape: Partial<PathShape>): void {
    this.#shape = { ...this.#shape, ...shape }
    for (const path of this.#paths.values()) path.shape = { ...path.shape, ...shape }
  }

  /** Nothing gets from the one to the other. */
  cut(from: string, to: string): void {
    this.#path(from, to).cut()
  }

  /** Cut off from all machines that there are, both ways. */
  isolate(address: string): void {
    for (const other of this.#machines.keys()) {
      if (other === address) continue
      this.cut(address, other)
      this.cut(other, address)
    }
  }

  heal(from: string, to: string): void {
    this.#path(from, to).heal()
  }

  healAll(): void {
    for (const path of this.#paths.values()) path.heal()
  }

  clog(from: string, to: string, forMs: number): void {
    this.#path(from, to).clog(forMs)
  }

  /** The connections between two machines break. */
  reset(one: string, other: string): void {
    for (const connection of [...this.#machine(one).connections]) {
      if (connection.peer?.machine === other) connection.reset()
    }
  }

  /** Each connection breaks with this probability. */
  resetSome(probability: number): void {
    for (const machine of this.#machines.values()) {
      for (const connection of [...machine.connections]) {
        // Of its two ends the first one met decides.
        if (connection.peer !== null && connection.machine > connection.peer.machine) continue
        if (this.#random.chance(probability)) connection.reset()
      }
    }
  }

  /** The process stands still: it hears nothing, but the machine still takes what comes. */
  pause(address: string): void {
    this.#machine(address).gate.shut()
  }

  /** It goes on, with all that has come meanwhile. */
  resume(address: string): void {
    const { gate, connections } = this.#machine(address)
    gate.open(() => {
      for (const connection of [...connections]) connection.proceed()
    })
  }

  /** The process ends: its connections break, its ports are free. */
  kill(address: string): void {
    const machine = this.#machine(address)
    machine.gate.clear()
    machine.life++
    machine.listeners.clear()
    for (const connection of [...machine.connections]) {
      const { peer } = connection
      connection.vanish()
      if (peer !== null) this.#path(address, peer.machine).carry(() => peer.fail('ECONNRESET'))
    }
  }

  /** The machine is gone; nobody hears of it. */
  vanish(address: string): void {
    const machine = this.#machine(address)
    machine.isDown = true
    machine.gate.clear()
    machine.life++
    machine.listeners.clear()
    for (const connection of [...machine.connections]) {
      connection.vanish()
      machine.forgotten.add(connection)
    }
  }

  /** It is back, and answers what belongs to the connections of before with a reset. */
  comeBack(address: string): void {
    const machine = this.#machine(address)
    machine.isDown = false
    for (const connection of machine.forgotten) connection.forget()
    machine.forgotten.clear()
  }

  /** Open ends, of all machines. */
  get connections(): number {
    let count = 0
    for (const { connections } of this.#machines.values()) count += connections.size
    return count
  }

  #machine(address: string): Machine {
    const known = this.#machines.get(address)
    if (known !== undefined) return known
    const machine: Machine = {
      address,
      listeners: new Map(),
      connections: new Set(),
      forgotten: new Set(),
      gate: new Gate(this.#clock),
      isDown: false,
      life: 0,
    }
    this.#machines.set(address, machine)
    return machine
  }

  #path(from: string, to: string): SimPath {
    const name = `${from}->${to}`
    const known = this.#paths.get(name)
    if (known !== undefined) return known
    const path = new SimPath(this.#clock, this.#random.fork(name), this.#shape)
    this.#paths.set(name, path)
    return path
  }

  #listen(
    { address, listeners }: Machine,
    asked: number,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    const port = asked === 0 ? this.#nextPort++ : asked
    if (listeners.has(port)) return Promise.reject(netFault(`listen on ${address}:${port}`, 'EADDRINUSE'))
    listeners.set(port, onConnection)
    return Promise.resolve({
      host: address,
      port,
      close: () => {
        if (listeners.get(port) === onConnection) listeners.delete(port)
        return Promise.resolve()
      },
    })
  }

  #connect(
    machine: Machine,
    { host, port, timeoutMs }: { host: string; port: number; timeoutMs: number },
  ): Promise<Connection> {
    const { life } = machine
    const there = this.#path(machine.address, host)
    const back = this.#path(host, machine.address)
    const operation = `connect to ${host}:${port}`
    return new Promise((resolve, reject) => {
      let isOver = false
      const over = (settle: () => void): void => {
        if (isOver) return
        isOver = true
        timer.cancel()
        machine.gate.pass(() => {
          if (life === machine.life) settle()
        })
      }
      const timer = this.#clock.setTimer(timeoutMs, () =>
        over(() => reject(netFault(operation, 'ETIMEDOUT'))),
      )
      there.carry(() => {
        const target = this.#machine(host)
        if (isOver || target.isDown || life !== machine.life) return
        const onConnection = target.listeners.get(port)
        if (onConnection === undefined) {
          back.carry(() => over(() => reject(netFault(operation, 'ECONNREFUSED'))))
          return
        }
        const near = this.#end(machine, `${host}:${port}`)
        const far = this.#end(target, `${machine.address}:${this.#nextPort++}`)
        SimConnection.join(near, far, there, back)
        near.pause() // until somebody listens to it
        const { life: lifeThere } = target
        target.gate.pass(() => {
          if (lifeThere === target.life && !far.isClosed) onConnection(far)
        })
        back.carry(() => {
          // Given up meanwhile, or reset before it stood.
          if (isOver) near.destroy()
          else if (near.isClosed) over(() => reject(netFault(operation, 'ECONNRESET')))
          else {
            over(() => resolve(near))
            near.resume()
          }
        })
      })
    })
  }

  #end(machine: Machine, remote: string): SimConnection {
    const end: SimConnection = new SimConnection(machine.address, remote, {
      clock: this.#clock,
      random: this.#random,
      gate: machine.gate,
      onGone: () => machine.connections.delete(end),
    })
    machine.connections.add(end)
    return end
  }
}
