/**
 * Finds the host that runs an instance, and gets a ticket to its terminal there.
 *
 * Instances of this host need neither database nor bus, so their consoles work when both are
 * unreachable.
 */
import type { Bus } from '../../bus/bus.ts'
import { TERMINAL_PATH } from '../../lib/terminal-protocol.ts'
import { type AtollError, refused, unavailable } from '../../model/errors.ts'
import type { HostName, InstanceId } from '../../model/ids.ts'
import type { InstanceState } from '../../model/records.ts'
import type { InformedStore } from '../../store/replica-reads.ts'
import type { RequestRecords } from '../action.ts'
import { withReplicaFallback } from '../replica-fallback.ts'
import type { ConsoleServer } from './server.ts'
import { TICKET_LIFE_MS } from './tickets.ts'

/** Where a console is. */
export interface ConsolePlace {
  /** Null: on this host. */
  readonly at: { readonly address: string; readonly port: number } | null
  readonly host: HostName
  /** The WebSocket URL for clients on other machines. */
  readonly url: string
  readonly ticket: string
  /** How long the ticket is valid. */
  readonly ticketSeconds: number
}

export interface ConsoleLocatorOptions {
  readonly host: HostName
  readonly server: Pick<ConsoleServer, 'issue'>
  /** Whether anything of an instance is on this host, running or not. */
  readonly holds: (instance: InstanceId) => Promise<boolean>
  readonly store: InformedStore
  readonly bus: Bus
  /** The address of this host's API for others. */
  readonly reachedAt: { readonly address: string; readonly port: number }
}

/** Gets tickets for consoles on any host. */
export interface ConsoleLocator {
  /** Errors: `refused` and `unavailable`, which say what to do. */
  seek(instance: InstanceId): Promise<ConsolePlace>
}

/** How long another host may take to answer. It is less than the command waits for the daemon. */
const ASK_TIMEOUT_MS = 4_000

/** Answers other hosts' questions for consoles from now on. */
export function createConsoleLocator(options: ConsoleLocatorOptions): ConsoleLocator {
  const { host, server, holds, store, bus, reachedAt } = options

  bus.onAsk('attach', async ({ instance }) => {
    if (!(await holds(instance))) throw notYet(instance)
    return { ...reachedAt, ticket: server.issue(instance) }
  })

  return {
    async seek(instance) {
      // The server itself refuses if the instance does not run.
      if (await holds(instance))
        return { at: null, ...placeAt(host, reachedAt, server.issue(instance)) }
      const found = await hostOf(store, instance)
      if (found === host) throw notYet(instance)
      const { address, port, ticket } = await bus.ask(
        found,
        'attach',
        { instance },
        { timeoutMs: ASK_TIMEOUT_MS },
      )
      return { at: { address, port }, ...placeAt(found, { address, port }, ticket) }
    },
  }
}

function placeAt(
  host: HostName,
  { address, port }: ConsoleLocatorOptions['reachedAt'],
  ticket: string,
): Omit<ConsolePlace, 'at'> {
  const url = `wss://${address}:${port}${TERMINAL_PATH}`
  return { host, url, ticket, ticketSeconds: TICKET_LIFE_MS / 1000 }
}

function notYet(instance: InstanceId): AtollError {
  return unavailable(`${instance} has not been started yet; see: atoll instances`)
}

async function hostOf(store: InformedStore, id: InstanceId): Promise<HostName> {
  const { output } = await withReplicaFallback(store, (records) => placeOf(records, id))
  return output
}

async function placeOf(records: Pick<RequestRecords, 'read'>, id: InstanceId): Promise<HostName> {
  const { instance, host } = await records.read(async (tx) => {
    const [instance] = await tx.instances({ ids: [id] })
    const hosts = await tx.hosts()
    return { instance, host: hosts.find(({ name }) => name === instance?.host) }
  })
  if (instance === undefined)
    throw refused(
      'InvalidInstanceID.NotFound',
      `The instance ID '${id}' does not exist; see: atoll instances`,
    )
  if (instance.state !== 'running' && instance.state !== 'pending' && instance.state !== 'stopping')
    throw notRunning(id, instance.state)
  if (host?.live !== true)
    throw unavailable(
      `The host of ${id}, ${instance.host}, is lost (last seen: ${host?.lastSeenAt ?? 'unknown, it was forgotten'}).`,
    )
  return instance.host
}

function notRunning(id: InstanceId, state: InstanceState): AtollError {
  const hint =
    state === 'stopped' ? `; start it with: aws ec2 start-instances --instance-ids ${id}` : ''
  return refused('IncorrectInstanceState', `${id} is ${state}${hint}`)
}
