/**
 * What one process of DHCP, DNS and metadata has been told, and what it lacks of what is wanted. It
 * has to be said in this order, and is then taken as said.
 */
import { isDeepStrictEqual } from 'node:util'
import { MAX_PASSED } from '../host/sockets/passing.ts'
import type { InstanceId } from '../model/ids.ts'
import type { InstanceWant } from '../model/want.ts'
import { editsOf } from './name-edits.ts'
import {
  NAMES_IN_LINE,
  type NameEdit,
  type NamespaceName,
  type NameWant,
  type Order,
  type RoleDocument,
  type SubnetWant,
  type VpcWant,
} from './protocol.ts'
import type { Wanted } from './wanted.ts'

type SocketsOrder = Extract<Order, { readonly kind: 'sockets' }>

interface Known {
  readonly sockets: Set<number>
  instances: readonly InstanceWant[]
  names: readonly NameWant[]
  vpcs: readonly VpcWant[]
  subnets: readonly SubnetWant[]
  roles: readonly RoleDocument[]
}

/** Instances in one line: each has up to 0.1 MiB. */
const INSTANCES_IN_LINE = 8

/** Nothing was said. */
export class Told {
  /** The name of the connection, which goes with descriptors. */
  session = ''
  readonly #known = new Map<NamespaceName, Known>()

  end(namespace: NamespaceName): void {
    this.#known.delete(namespace)
  }

  /**
   * The sockets that it lacks or that it has for nothing, in parts; each with the descriptors that
   * are passed before.
   */
  sockets(
    wanted: Wanted,
    next: () => number,
  ): readonly { readonly fds: readonly number[]; readonly order: SocketsOrder }[] {
    const { sockets } = this.#of(wanted.namespace)
    const all = [...wanted.sockets.values()].flatMap((some) => [...some.values()])
    const ids = new Set(all.map(({ id }) => id))
    const dropped = [...sockets].filter((id) => !ids.has(id))
    const lacking = all.filter(({ id }) => !sockets.has(id))
    if (lacking.length === 0 && dropped.length === 0) return []
    const parts = Array.from({ length: Math.ceil(lacking.length / MAX_PASSED) || 1 }, (_, index) =>
      lacking.slice(index * MAX_PASSED, (index + 1) * MAX_PASSED),
    )
    return parts.map((part, index) => ({
      fds: part.map(({ fd }) => fd),
      order: {
        ...{ kind: 'sockets', n: next(), namespace: wanted.namespace },
        passed: part.map(({ id, place }) => ({ id, place })),
        dropped: index === 0 ? dropped : [],
      },
    }))
  }

  /** The order was carried out. */
  hasSockets({ namespace, passed, dropped }: SocketsOrder): void {
    const { sockets } = this.#of(namespace)
    for (const id of dropped) sockets.delete(id)
    for (const { id } of passed) sockets.add(id)
  }

  /** Everything else that it lacks. */
  *differences(wanted: Wanted): Generator<Order> {
    const known = this.#of(wanted.namespace)
    const { namespace } = wanted
    yield* this.#instances(known, wanted)
    const { vpcs, subnets } = wanted
    if (!isDeepStrictEqual([known.vpcs, known.subnets], [vpcs, subnets]))
      yield { kind: 'networks', namespace, vpcs, subnets }
    known.vpcs = vpcs
    known.subnets = subnets
    if (known.names !== wanted.names)
      for (const edits of inLines(editsOf(known.names, wanted.names)))
        yield { kind: 'names', namespace, edits }
    known.names = wanted.names
    if (!isDeepStrictEqual(known.roles, wanted.roles))
      yield { kind: 'roles', namespace, documents: wanted.roles }
    known.roles = wanted.roles
  }

  *#instances(known: Known, { namespace, instances }: Wanted): Generator<Order> {
    if (known.instances === instances) return
    const before = new Map(known.instances.map((one) => [one.id, one]))
    const changed = instances.filter((one) => !isDeepStrictEqual(before.get(one.id), one))
    for (const { id } of instances) before.delete(id)
    const gone: InstanceId[] = [...before.keys()]
    if (gone.length > 0) yield { kind: 'instances', namespace, changed: [], gone }
    for (let at = 0; at < changed.length; at += INSTANCES_IN_LINE)
      yield {
        ...{ kind: 'instances', namespace, gone: [] },
        changed: changed.slice(at, at + INSTANCES_IN_LINE),
      }
    known.instances = instances
  }

  #of(namespace: NamespaceName): Known {
    const known = this.#known.get(namespace) ?? {
      ...{ sockets: new Set<number>(), instances: [], names: [], vpcs: [], subnets: [], roles: [] },
    }
    this.#known.set(namespace, known)
    return known
  }
}

/** Edits with at most so many names together. */
function* inLines(edits: readonly NameEdit[]): Generator<readonly NameEdit[]> {
  let line: NameEdit[] = []
  let names = 0
  for (const edit of edits) {
    if (line.length > 0 && names + edit.added.length + 1 > NAMES_IN_LINE) {
      yield line
      line = []
      names = 0
    }
    line.push(edit)
    names += edit.added.length + 1
  }
  if (line.length > 0) yield line
}
