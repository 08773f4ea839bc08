/**
 * Hosts as network namespaces inside the room, each behind a link of its own to a router, which is where clients are:
 *
 *     host 1 (10.77.1.2) ── 10.77.1.1 ┐
 *     host 2 (10.77.2.2) ── 10.77.2.1 ┼ the room: router and clients
 *     host 3 (10.77.3.2) ── 10.77.3.1 ┘
 *
 * The router can lose what one host sends to another, silently and in one direction only; clients still reach all of them.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'

export class Network {
  /** A process in each namespace keeps it while its broker is dead. */
  readonly #holders = new Map<number, ChildProcess>()
  readonly #cuts = new Set<string>()

  constructor(hosts: readonly number[]) {
    ip('link', 'set', 'lo', 'up')
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
    for (const host of hosts) this.#add(host)
  }

  addressOf(host: number): string {
    return `10.77.${host}.2`
  }

  /** What runs a program on a host: put before it. */
  prefixOf(host: number): string[] {
    return ['nsenter', '-t', `${this.#holders.get(host)?.pid}`, '-n']
  }

  /** What `from` sends to `to` is lost. */
  cut(from: number, to: number): void {
    if (this.#cuts.has(`${from} ${to}`)) return
    this.#cuts.add(`${from} ${to}`)
    ip('rule', 'add', 'iif', `v${from}`, 'to', this.addressOf(to), 'blackhole')
  }

  heal(): void {
    for (const cut of this.#cuts) {
      const [from, to] = cut.split(' ')
      ip('rule', 'del', 'iif', `v${from}`, 'to', this.addressOf(Number(to)), 'blackhole')
    }
    this.#cuts.clear()
  }

  close(): void {
    for (const holder of this.#holders.values()) holder.kill('SIGKILL')
  }

  #add(host: number): void {
    // `cat` says when it is there, and waits for an end of input that does not come.
    const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] })
    this.#holders.set(host, holder)
    untilAway(holder)
    ip('link', 'add', `v${host}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${holder.pid}`)
    ip('addr', 'add', `10.77.${host}.1/24`, 'dev', `v${host}`)
    ip('link', 'set', `v${host}`, 'up')
    const [enter = '', ...flags] = this.prefixOf(host)
    const there = (...args: string[]): void => void execFileSync(enter, [...flags, 'ip', ...args])
    there('link', 'set', 'lo', 'up')
    there('addr', 'add', `${this.addressOf(host)}/24`, 'dev', 'eth0')
    there('link', 'set', 'eth0', 'up')
    there('route', 'add', 'default', 'via', `10.77.${host}.1`)
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args)
}

/** The namespace is made by the program itself, a moment after it has begun. */
function untilAway(holder: ChildProcess): void {
  const here = execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' })
  for (let attempt = 0; attempt < 500; attempt++) {
    const there = execFileSync('readlink', [`/proc/${holder.pid}/ns/net`], { encoding: 'utf8' })
    if (there !== here) return
  }
  throw new Error('a network namespace was not made')
}
