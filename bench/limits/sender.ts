/**
 * The least that a broker on Node must do to be read from: a request comes, a part of a file goes. Each connection reads on where it was,
 * and begins again at the end of the file.
 *
 *     node sender.js FOLDER FILE_BYTES ANSWER_BYTES HEAD_BYTES     prints {"bootstrap"}; ends on SIGTERM
 *
 * An answer is HEAD_BYTES of zeros and ANSWER_BYTES of the file, which it makes in the folder.
 */
import { openSync, readSync, writeSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { FrameSizes } from './frame-sizes.ts'

const [folder, ...numbers] = process.argv.slice(2)
const [leastBytes = 0, answerBytes = 0, headBytes = 0] = numbers.map(Number)
const file = openSync(`${folder}/sent`, 'w+')
let fileBytes = 0
while (fileBytes < leastBytes) fileBytes += writeSync(file, Buffer.alloc(answerBytes, 'x'))

function send(socket: Socket): void {
  const sizes = new FrameSizes()
  const head = 4 + headBytes
  // One request at a time: the answer before it has been taken when the next request is here.
  const frame = Buffer.alloc(head + answerBytes)
  frame.writeInt32BE(frame.length - 4)
  let at = 0
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    sizes.cut(chunk, (_, isLast) => {
      if (!isLast) return
      if (at + answerBytes > fileBytes) at = 0
      at += readSync(file, frame, head, answerBytes, at)
      socket.write(frame)
    })
  })
}

const server = createServer(send)
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ bootstrap: `127.0.0.1:${port}` })}\n`)
})
