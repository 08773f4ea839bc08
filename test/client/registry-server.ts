/** A schema registry as its published API describes it, as much as clients use, with BACKWARD compatibility judged by Avro's rules. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import avsc from 'avsc'
import type { Test } from 'tap'

interface Stored {
  readonly id: number
  readonly schema: string
  readonly references?: readonly { name: string; subject: string; version: number }[]
  readonly schemaType?: string
}

export class RegistryServer {
  readonly #server: Server
  readonly subjects = new Map<string, Stored[]>()
  readonly #byId: Stored[] = []
  /** 'METHOD path' of every request. */
  readonly seen: string[] = []
  authorization: string | undefined
  /** Answers instead. */
  fault: (() => { status: number; body: string } | 'hang up' | null) | null = null

  private constructor(server: Server) {
    this.#server = server
  }

  static async listen(t: Test): Promise<RegistryServer> {
    const server = createServer((request, response) => {
      void registry.#handle(request).then((answer) => {
        if (answer === 'hang up') {
          response.destroy()
          return
        }
        response.writeHead(answer.status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
        response.end(answer.body)
      })
    })
    const registry = new RegistryServer(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    return registry
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** As if somebody else had registered it. */
  add(subject: string, schema: unknown, more: Partial<Stored> = {}): number {
    const text = typeof schema === 'string' ? schema : JSON.stringify(schema)
    const stored = this.#byId.find((other) => other.schema === text) ?? {
      id: this.#byId.length + 1,
      schema: text,
      ...more,
    }
    if (!this.#byId.includes(stored)) this.#byId.push(stored)
    const versions = this.subjects.get(subject) ?? []
    if (!versions.includes(stored)) versions.push(stored)
    this.subjects.set(subject, versions)
    return stored.id
  }

  async #handle(request: IncomingMessage): Promise<{ status: number; body: string } | 'hang up'> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    this.seen.push(`${request.method} ${request.url}`)
    this.authorization = request.headers.authorization
    const fault = this.fault?.()
    if (fault !== null && fault !== undefined) return fault
    const path = (request.url ?? '').split('/').slice(1).map(decodeURIComponent)
    const text = Buffer.concat(chunks).toString()
    return this.#answer(
      request.method ?? '',
      path,
      text === '' ? {} : (JSON.parse(text) as { schema?: string }),
    )
  }

  #answer(
    method: string,
    path: readonly string[],
    body: { schema?: string },
  ): { status: number; body: string } {
    const ok = (value: unknown) => ({ status: 200, body: JSON.stringify(value) })
    const refuse = (status: number, error_code: number, message: string) => ({
      status,
      body: JSON.stringify({ error_code, message }),
    })
    if (method === 'GET' && path[0] === 'schemas') {
      const found = this.#byId[Number(path[2]) - 1]
      if (found === undefined) return refuse(404, 40403, `Schema ${path[2]} not found`)
      const { id: _, ...rest } = found
      return ok(rest)
    }
    const [, subject = ''] = path
    const versions = this.subjects.get(subject)
    if (method === 'GET') {
      if (versions === undefined) return refuse(404, 40401, `Subject '${subject}' not found.`)
      const version = path[3] === 'latest' ? versions.length : Number(path[3])
      const found = versions[version - 1]
      if (found === undefined) return refuse(404, 40402, `Version ${path[3]} not found.`)
      return ok({ subject, version, ...found })
    }
    const schema = body.schema ?? ''
    const known = versions?.find((other) => other.schema === schema)
    if (path[2] !== 'versions') {
      return known === undefined
        ? refuse(404, 40403, 'Schema not found')
        : ok({ subject, ...known, version: 1 })
    }
    const last = versions?.[versions.length - 1]
    try {
      const type = avsc.Type.forSchema(JSON.parse(schema))
      if (known === undefined && last !== undefined)
        type.createResolver(avsc.Type.forSchema(JSON.parse(last.schema)))
    } catch (cause) {
      return refuse(409, 409, `Schema being registered is incompatible: ${(cause as Error).message}`)
    }
    return ok({ id: this.add(subject, schema) })
  }
}
