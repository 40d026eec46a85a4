/** Answers `atoll explain` from the records of the whole cloud. */
import { refused } from '../model/errors.ts'
import { byId, type InstanceId, parseId } from '../model/ids.ts'
import { explainPacket, type Surroundings } from '../plan/explain.ts'
import { explainName, parseName } from '../plan/explain-dns.ts'
import {
  type CloudRecords,
  type End,
  findEnd,
  type Parsed,
  parseTraffic,
} from '../plan/explain-question.ts'
import type { Explanation } from '../plan/explain-step.ts'
import type { InformedStore } from '../store/replica-reads.ts'
import { readRouting } from '../store/routing.ts'
import type { ReadTx } from '../store/store.ts'

/** The document of `atoll explain`. */
export interface ExplainReport extends Explanation {
  /** The time (ISO 8601) of the records when the newest are unavailable. Otherwise null. */
  readonly asOf: string | null
}

/** The arguments of the command. */
export interface Question {
  readonly from: string
  readonly to: string
  readonly what: string
}

/**
 * The answer to `from to what`, or to `from dns name`. Errors: `refused` when the question is
 * invalid.
 */
export async function explain(
  { from, to, what }: Question,
  store: Pick<InformedStore, 'read'>,
  surroundings: Surroundings,
): Promise<ExplainReport> {
  const { value: records, asOf } = await store.read((tx) => readCloud(tx, [from, to, what]))
  if (to === 'dns') {
    const source = understood(findEnd(from, records))
    if (source.kind !== 'instance') throw refusal('only an instance can ask for a name')
    return {
      ...explainName(source, understood(parseName(what)), records, surroundings.zone),
      asOf,
    }
  }
  const { source, destination } = endsOf(from, to, records)
  const traffic = understood(parseTraffic(what))
  return { ...explainPacket(source, destination, traffic, records, surroundings), asOf }
}

/** Who sends, and to whom. Errors: `refused` when that is unclear, or neither is an instance. */
export function endsOf(
  from: string,
  to: string,
  records: CloudRecords,
): { readonly source: End; readonly destination: End } {
  const target = findEnd(to, records)
  const source = understood(findEnd(from, records, 'value' in target ? target.value : undefined))
  const destination = understood(findEnd(to, records, source))
  if (source.kind !== 'instance' && destination.kind !== 'instance')
    throw refusal('one of the two must be an instance')
  return { source, destination }
}

/** What a text means. Errors: `refused`. */
export function understood<T>(parsed: Parsed<T>): T {
  if ('problem' in parsed) throw refusal(parsed.problem)
  return parsed.value
}

function refusal(problem: string) {
  return refused('InvalidParameterValue', problem)
}

/**
 * The records of the whole cloud. Of terminated instances only those whose ids are `named`, because
 * there may be very many.
 */
export async function readCloud(tx: ReadTx, named: readonly string[]): Promise<CloudRecords> {
  const hosts = await tx.hosts()
  const live = await tx.instances({ hosts: hosts.map(({ name }) => name), live: true })
  const known = new Set<string>(live.map(({ id }) => id))
  const ids = named.flatMap((text) => parseId('i', text.split('.')[0] ?? '') ?? [])
  const ended = await tx.instances({ ids: ids.filter((id) => !known.has(id)) })
  const tags = await tx.tags({ resources: [...known] })
  return {
    hosts,
    instances: byId([...live, ...ended]),
    nics: await tx.placedNics({}),
    vpcs: await tx.vpcs({}),
    subnets: await tx.subnets({}),
    peerings: await tx.activePeerings(),
    groups: await tx.groups({}),
    groupRules: await tx.groupRules({}),
    prefixListEntries: await tx.prefixListEntries({}),
    routing: await readRouting(tx),
    nameTags: new Map(
      tags.flatMap(({ key, resource, resourceType, value }) =>
        key === 'Name' && resourceType === 'instance' ? [[resource as InstanceId, value]] : [],
      ),
    ),
  }
}
