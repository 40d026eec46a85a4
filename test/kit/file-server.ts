/**
 * A web server with one file that misbehaves as a test says: it closes connections, changes the
 * file, sends wrong headers.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** What the file is now. */
export interface ServedFile {
  readonly content: Buffer
  /**
   * A strong entity tag, with its quotes; null for none, which also means that there are no ranges.
   */
  readonly tag: string | null
}

export interface FileServer extends AsyncDisposable {
  readonly url: string
  /** The `Range` of every request so far, null where there was none. */
  readonly ranges: readonly (string | null)[]
}

/** Answers every request by `answer`, which is told how many there were before. */
export async function startFileServer(
  answer: (request: IncomingMessage, response: ServerResponse, before: number) => void,
): Promise<FileServer> {
  const ranges: (string | null)[] = []
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? null)
    answer(request, response, ranges.length - 1)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  return {
    url: `http://127.0.0.1:${port}/image.img`,
    ranges,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/**
 * Sends the file, or the part that is asked for if it is still the same. With `cutAfter` the
 * connection breaks after so many bytes of the body; with `heedless` the part is sent even though
 * the file is another by now.
 */
export function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  { content, tag }: ServedFile,
  more: { readonly cutAfter?: number; readonly heedless?: boolean } = {},
): void {
  const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const same = more.heedless === true || request.headers['if-range'] === tag
  const offset = tag !== null && same ? first : 0
  const body = content.subarray(offset)
  response.statusCode = offset === 0 ? 200 : 206
  if (tag !== null) response.setHeader('etag', tag)
  if (offset > 0)
    response.setHeader('content-range', `bytes ${offset}-${content.length - 1}/${content.length}`)
  response.setHeader('content-length', body.length)
  if (more.cutAfter === undefined || more.cutAfter >= body.length) {
    response.end(body)
    return
  }
  response.write(body.subarray(0, more.cutAfter), () => response.destroy())
  if (more.cutAfter === 0) response.flushHeaders()
}
