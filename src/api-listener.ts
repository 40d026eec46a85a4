/**
 * The socket on which clients reach the processes of the API. The agent opens it, because they may
 * not use low ports, and they inherit it. So clients wait while a process is started again, and
 * several share what comes. A new agent takes its copy from a process that runs.
 */
import { cannotListen } from './api/http/cannot-listen.ts'
import type { Config } from './config.ts'
import type { NamespaceHost } from './host/host.ts'
import { loadLibc } from './host/libc.ts'
import { loadDescriptors } from './host/sockets/descriptors.ts'
import { loadSocketInspector } from './host/sockets/inspect.ts'
import type { Log } from './lib/log.ts'
import { ipv4 } from './model/addr.ts'
import { type ChildSpec, runningChildren } from './parts/children.ts'
import { SocketShelf } from './parts/socket-shelf.ts'

/** The agent's copy of the socket. */
export interface ApiListener extends Required<Pick<ChildSpec, 'inherit'>> {
  close(): void
}

/** Takes it from a process that runs, or opens it. Errors: the address is in use. */
export function openApiListener(
  { api, runtimeDir }: Pick<Config, 'api' | 'runtimeDir'>,
  { descriptors }: Pick<NamespaceHost, 'descriptors'>,
  log: Log,
): ApiListener {
  const shelf = new SocketShelf({
    libc: loadLibc(),
    descriptors: loadDescriptors(),
    inspector: loadSocketInspector(),
  })
  for (const pid of runningChildren(runtimeDir, 'api'))
    try {
      shelf.takeFrom(pid)
    } catch (error) {
      // It has ended meanwhile.
      log.debug({ error, pid }, 'a process of the API has no socket to take over')
    }
  try {
    const place = { kind: 'tcp', address: ipv4(api.listen), port: api.port } as const
    const socket = shelf.open(descriptors, place)
    return {
      inherit: () => ({ files: [socket.fd], close: () => undefined }),
      close: () => shelf.close(socket),
    }
  } catch (error) {
    throw cannotListen(api.listen, api.port, error)
  } finally {
    shelf.closeFound()
  }
}
