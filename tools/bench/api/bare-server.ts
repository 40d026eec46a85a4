/**
 * The comparison for a description by id: a bare `node:http` server that reads a request and
 * answers it with a fixed body of the length in its argument. Sends its port to its parent.
 */
import { createServer } from 'node:http'

const [length = ''] = process.argv.slice(2)
const body = 'x'.repeat(Number(length))

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, {
      'content-type': 'text/xml;charset=UTF-8',
      'content-length': body.length,
    })
    response.end(body)
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined })
})
process.on('disconnect', () => process.exit(0))
