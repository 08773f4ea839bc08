/**
 * The least that a broker on Node must do with what it gets: cut frames, check their sums, append them to a file, answer. One file a
 * connection, one write of all that a turn brought.
 *
 *     node copier.js FOLDER unsynced|synced     prints {"bootstrap"}; ends on SIGTERM
 *
 * synced: answers wait for an fdatasync that began after their write; one sync for all that came meanwhile.
 */
import { fdatasync, openSync, writevSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { crc32c } from '../../src/base/crc32c.ts'
import { FrameSizes } from './frame-sizes.ts'

const [folder, flush] = process.argv.slice(2)
/** What the load takes for "no error": it looks at a field of zeros. */
const answer = Buffer.alloc(64)
answer.writeInt32BE(answer.length - 4)
let files = 0

function copy(socket: Socket): void {
  // It stays until the program ends: what is deleted would be memory that is new to who writes next.
  const file = openSync(`${folder}/${files++}`, 'w')
  const sizes = new FrameSizes()
  let pieces: Buffer[] = []
  let crc = 0
  let frames = 0
  let written = 0
  let isSyncing = false

  const onTurn = () => {
    writevSync(file, pieces)
    pieces = []
    if (flush === 'synced') {
      written += frames
      sync()
    } else reply(frames)
    frames = 0
  }
  const sync = () => {
    if (isSyncing || written === 0) return
    isSyncing = true
    const covered = written
    written = 0
    fdatasync(file, () => {
      isSyncing = false
      reply(covered)
      sync()
    })
  }
  const reply = (count: number) => {
    if (socket.destroyed) return
    socket.cork()
    for (let i = 0; i < count; i++) socket.write(answer)
    socket.uncork()
  }
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    if (pieces.length === 0) setImmediate(onTurn)
    sizes.cut(chunk, (piece, isLast) => {
      crc = crc32c(piece, crc)
      pieces.push(piece)
      if (!isLast) return
      crc = 0
      frames++
    })
  })
}

const server = createServer(copy)
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ bootstrap: `127.0.0.1:${port}` })}\n`)
})
