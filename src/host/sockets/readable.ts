/**
 * Being told that a descriptor can be read, while Node does not read it: libuv's uv_poll, which the
 * program `node` exports for addons (docs.libuv.org, uv_poll_t).
 *
 * A socket of Node's own reads each datagram by itself, into a buffer of 64 KiB, and makes objects
 * for it. Of a descriptor that is only watched, the caller reads what it wants, as by
 * `datagrams.ts`.
 */
import koffi from 'koffi'
import { bug, unavailable } from '../../model/errors.ts'

/** What `watch` tells. Neither may throw. */
interface Reader {
  /** It can be read. Called again in each turn of the event loop as long as it can. */
  readable(): void
  /** The kernel reports an error of it, and it is not watched any more. */
  failed(error: unknown): void
}

export interface Readability {
  /**
   * Watches a descriptor in the event loop of the main thread, until the returned function is
   * called. That must come before the descriptor is closed. Errors: `unavailable`.
   */
  watch(fd: number, reader: Reader): () => void
}

/** uv_handle_type of uv.h. */
const UV_POLL = 8
const UV_READABLE = 1

interface Watched {
  /** The uv_poll_t. libuv uses this memory until it has closed it. */
  readonly memory: Buffer
  reader: Reader | null
}

/** One for a process: the functions that libuv calls are never given back. */
export function createReadability(): Readability {
  const node = koffi.load(null)
  const heard = koffi.pointer(koffi.proto(null, 'void', ['uintptr_t', 'int', 'int']))
  const closed = koffi.pointer(koffi.proto(null, 'void', ['uintptr_t']))
  const defaultLoop = node.func('void *uv_default_loop()')
  const sizeOf = node.func('size_t uv_handle_size(int type)')
  const init = node.func('int uv_poll_init(void *loop, void *handle, int fd)')
  const start = node.func('uv_poll_start', 'int', ['void *', 'int', heard])
  const close = node.func('uv_close', 'void', ['void *', closed])

  const watched = new Map<number, Watched>()
  const onEvent = koffi.register((handle: number, status: number) => {
    const reader = watched.get(handle)?.reader
    if (status < 0) reader?.failed(unavailable(`a socket cannot be watched: ${status}`))
    else reader?.readable()
  }, heard)
  const onClosed = koffi.register((handle: number) => {
    watched.delete(handle)
  }, closed)

  return {
    watch(fd, reader) {
      const memory = Buffer.alloc(Number(sizeOf(UV_POLL)))
      const failure = Number(init(defaultLoop(), memory, fd))
      if (failure < 0) throw unavailable(`descriptor ${fd} cannot be watched: ${failure}`)
      const one: Watched = { memory, reader }
      watched.set(Number(koffi.address(memory)), one)
      start(memory, UV_READABLE, onEvent)
      return () => {
        if (one.reader === null) throw bug('a descriptor is not watched any more')
        one.reader = null
        close(memory, onClosed)
      }
    },
  }
}
