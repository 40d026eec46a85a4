/**
 * The process that serves DHCP, DNS and metadata: it does what the agent says, and without an agent
 * it goes on with what was said last.
 *
 * - It needs nothing but its two sockets: one that the agent connects to (`protocol.ts`), and one
 *   that descriptors come by. It opens no file but /etc/resolv.conf, and has no rights.
 * - Of two agents the one that came last counts: it has the lock of this host's daemon.
 * - Asked to end, it says so, so that another one is started at once. It goes on until what it has
 *   begun is done, at most for a moment.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Libc } from '../host/libc.ts'
import type { Passing } from '../host/sockets/passing.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics, MetricsShare } from '../lib/metrics.ts'
import { createQueue, type Queue } from '../lib/queue.ts'
import { AtollError, bug, messageOf } from '../model/errors.ts'
import { DescriptorPool } from './descriptor-pool.ts'
import {
  createLineReader,
  MAX_NAMESPACES,
  type NamespaceName,
  type Order,
  parseOrder,
  type Reply,
  type ServicesSettings,
} from './protocol.ts'
import { ServedNamespace } from './served-namespace.ts'

/** How often the services are asked whether they lost something. */
const REPAIR_MS = 5_000
/** Replies that the agent does not read. Then it is not the one that it should be. */
const MAX_UNREAD = 4_000_000

export interface ServicesServerParts {
  readonly libc: Pick<Libc, 'close' | 'duplicate' | 'sendFrom'>
  readonly passing: Pick<Passing, 'receive'>
  /** Descriptors: a listening UNIX stream socket, and a UNIX datagram socket. */
  readonly control: number
  readonly inbox: number
  /** Names the code that runs. */
  readonly build: string
  /** The number of this process. */
  readonly pid: number
  readonly clock: Clock
  readonly metrics: Metrics
  /** The log as the settings say. */
  readonly openLog: (settings: ServicesSettings['log']) => Promise<Log>
  /** Called when the agent asks it to end. */
  readonly onRetire: () => void
}

export interface ServicesServer {
  /** Says that it is about to end. */
  announceEnd(): void
  /** Ends when everything that was begun is done. */
  close(): Promise<void>
}

/** Listens. Nothing is served before an agent has said what. */
export function startServicesServer(parts: ServicesServerParts): ServicesServer {
  return new RunningServer(parts)
}

interface Served {
  readonly services: ServedNamespace
  readonly metrics: MetricsShare
}

class RunningServer implements ServicesServer {
  readonly #parts: ServicesServerParts
  readonly #pool: DescriptorPool
  readonly #server: Server
  readonly #namespaces = new Map<NamespaceName, Served>()
  readonly #inTurn: Queue = createQueue()
  #agent: Socket | null = null
  #session = ''
  #settings: { readonly text: string; readonly settings: ServicesSettings; log: Log } | null = null
  #stopRepairing = () => {}

  constructor(parts: ServicesServerParts) {
    this.#parts = parts
    this.#pool = new DescriptorPool(parts.libc, parts.passing, parts.inbox)
    this.#server = createServer((socket) => this.#connected(socket))
    this.#server.listen({ fd: parts.control })
    this.#repairLater()
  }

  announceEnd(): void {
    this.#send({ retiring: true })
    this.#server.close()
  }

  async close(): Promise<void> {
    this.#stopRepairing()
    await Promise.all([...this.#namespaces.values()].map(({ services }) => services.retire()))
    this.#agent?.destroy()
  }

  #connected(socket: Socket): void {
    this.#agent?.destroy()
    this.#agent = socket
    const read = createLineReader(
      (line) => this.#hear(socket, line),
      () => socket.destroy(),
    )
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => read(text))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (this.#agent === socket) this.#agent = null
    })
  }

  #hear(socket: Socket, line: string): void {
    const order = parseOrder(line)
    if (order === null) {
      socket.destroy()
      return
    }
    // In the order in which they were said. An answer to `ping` does not wait.
    if (order.kind === 'ping') {
      this.#send({ n: order.n })
      return
    }
    void this.#inTurn(async () => {
      if (this.#agent !== socket) return
      const n = 'n' in order ? order.n : null
      try {
        const reply = await this.#obey(order)
        if (n !== null) this.#send({ n, ...reply })
      } catch (error) {
        this.#settings?.log.debug({ error, order: order.kind }, 'an order of the agent failed')
        // After a bug of either side it is told everything again.
        const isBug = error instanceof AtollError && error.kind === 'bug'
        if (n !== null && !isBug) this.#send({ n, error: messageOf(error) })
        else socket.destroy()
      }
    })
  }

  async #obey(order: Order): Promise<Omit<Reply, 'n'>> {
    switch (order.kind) {
      case 'hello':
        return await this.#greet(order)
      case 'ping':
        return {}
      case 'metrics':
        return { text: await this.#parts.metrics.render() }
      case 'retire':
        this.#parts.onRetire()
        return {}
      case 'sockets': {
        const missing = this.#pool.take(this.#session, order.namespace, order.passed)
        this.#pool.drop(order.dropped)
        return missing === 0 ? {} : { error: `${missing} descriptors have not come` }
      }
      case 'end':
        await this.#end(order.namespace)
        return {}
      case 'apply':
        await this.#namespace(order.namespace).services.apply(order.answer)
        return {}
      default:
        this.#namespace(order.namespace).services.tell(order)
        return {}
    }
  }

  async #greet({
    session,
    settings,
  }: Extract<Order, { readonly kind: 'hello' }>): Promise<Omit<Reply, 'n'>> {
    const text = JSON.stringify(settings)
    this.#session = session
    this.#settings ??= { text, settings, log: await this.#parts.openLog(settings.log) }
    for (const { services } of this.#namespaces.values()) services.forget()
    const { build, pid } = this.#parts
    return { build, pid, differs: this.#settings.text !== text }
  }

  #namespace(name: NamespaceName): Served {
    const known = this.#namespaces.get(name)
    if (known !== undefined) return known
    if (this.#settings === null) throw bug('no settings were said')
    if (this.#namespaces.size >= MAX_NAMESPACES) throw bug('too many namespaces')
    const { settings, log } = this.#settings
    const metrics = this.#parts.metrics.share()
    const services = new ServedNamespace({
      ...{ settings, metrics, clock: this.#parts.clock, handed: this.#pool.ofNamespace(name) },
      log: name === 'machine' ? log : log.child({ network: name }),
    })
    const served = { services, metrics }
    this.#namespaces.set(name, served)
    return served
  }

  async #end(name: NamespaceName): Promise<void> {
    const served = this.#namespaces.get(name)
    this.#namespaces.delete(name)
    await served?.services.close()
    served?.metrics.end()
    this.#pool.dropNamespace(name)
  }

  #send(line: Reply | { readonly retiring: true }): void {
    const agent = this.#agent
    if (agent === null || agent.destroyed) return
    agent.write(`${JSON.stringify(line)}\n`)
    if (agent.writableLength > MAX_UNREAD) agent.destroy()
  }

  #repairLater(): void {
    this.#stopRepairing = this.#parts.clock.after(REPAIR_MS, () => {
      void this.#inTurn(async () => {
        for (const { services } of this.#namespaces.values()) await services.repair()
      }).finally(() => this.#repairLater())
    })
  }
}
