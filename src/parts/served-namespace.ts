/**
 * DHCP, DNS and metadata of one network namespace, in the process that serves them: what the agent
 * has said about it, and the services that live by that.
 *
 * The services are those that an agent without such a process runs itself. They are given a want
 * with what they read, and the sockets that were handed over.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { bug } from '../model/errors.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import type { HostWant, InstanceWant } from '../model/want.ts'
import { givenRoles } from '../services/metadata/role-documents.ts'
import type { HostService } from '../services/service.ts'
import { createAnswers } from './answers.ts'
import type { HandedSockets } from './descriptor-pool.ts'
import { withEdits } from './name-edits.ts'
import type { AnswerName, NameEdit, NameWant, Order, ServicesSettings } from './protocol.ts'

interface NamespaceContext {
  readonly settings: ServicesSettings
  readonly handed: HandedSockets
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** What concerns one namespace. */
type Told = Extract<Order, { readonly kind: 'instances' | 'networks' | 'names' | 'roles' }>

/** A namespace of which nothing is known yet. */
export class ServedNamespace {
  readonly #log: Log
  readonly #roles = givenRoles()
  readonly #answers: readonly HostService[]
  /** What each service was applied with last. It is repaired with the same. */
  readonly #wants = new Map<AnswerName, HostWant>()
  readonly #instances = new Map<InstanceId, InstanceWant>()
  #sorted: readonly InstanceWant[] | null = null
  #names: readonly NameWant[] = []
  #edits: NameEdit[] = []
  #shared: Pick<HostWant['shared'], 'vpcs' | 'subnets'> = { vpcs: [], subnets: [] }

  constructor({ settings, handed, clock, log, metrics }: NamespaceContext) {
    this.#log = log
    this.#answers = createAnswers({
      ...{ clock, log, metrics, ...handed, roles: this.#roles },
      settings: { ...settings, key: Buffer.from(settings.key, 'base64') },
    })
  }

  tell(told: Told): void {
    switch (told.kind) {
      case 'instances':
        for (const id of told.gone) this.#instances.delete(id)
        for (const one of told.changed) this.#instances.set(one.id, one)
        this.#sorted = null
        return
      case 'networks':
        this.#shared = { vpcs: told.vpcs, subnets: told.subnets }
        return
      case 'names':
        this.#edits.push(...told.edits)
        return
      case 'roles':
        this.#roles.give(told.documents)
    }
  }

  /** Forgets what was said, to be told anew. The services go on with what they have. */
  forget(): void {
    this.#instances.clear()
    this.#sorted = null
    this.#names = []
    this.#edits = []
  }

  /** Errors: those of the service; `bug` when what was said cannot be right. */
  async apply(name: AnswerName): Promise<void> {
    if (this.#edits.length > 0) {
      const names = withEdits(this.#names, this.#edits)
      this.#edits = []
      if (names === null) throw bug('changes of names do not fit the names before')
      this.#names = names
    }
    const want = this.#want()
    this.#wants.set(name, want)
    await this.#apply(name, want)
  }

  /** Applies again what has lost something, or reads something that has changed. */
  async repair(): Promise<void> {
    for (const service of this.#answers) {
      const name = service.name as AnswerName
      const want = this.#wants.get(name)
      if (want === undefined || service.isDue?.() !== true) continue
      await this.#apply(name, want).catch((error: unknown) =>
        this.#log.warn({ service: name, error }, 'could not be applied again'),
      )
    }
  }

  /** Reads no more, and waits for answers that are under way, however long others take. */
  async retire(): Promise<void> {
    await Promise.all(
      this.#answers.map(async (one) => {
        await one.finish?.()
        await one.close()
      }),
    )
  }

  /** Reads no more, and waits for answers that this host gives. */
  async close(): Promise<void> {
    await Promise.all(this.#answers.map((one) => one.close()))
  }

  async #apply(name: AnswerName, want: HostWant): Promise<void> {
    const service = this.#answers.find((one) => one.name === name)
    await service?.apply({
      want,
      resync: false,
      signal: new AbortController().signal,
      log: this.#log,
    })
  }

  #want(): HostWant {
    this.#sorted ??= [...this.#instances.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
    return {
      local: {
        host: '' as HostName,
        generation: 0,
        instances: this.#sorted,
        images: [],
        volumes: [],
        captures: [],
        keptImages: null,
        unreadable: { ids: [], any: false },
      },
      shared: { ...this.#shared, groups: [], names: this.#names, peers: [], routes: [] },
    }
  }
}
