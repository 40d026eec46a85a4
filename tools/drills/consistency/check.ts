/** Checks whether a history is consistent. Pure. Each violation is a sentence. */
import type {
  ChangeAsked,
  Event,
  Final,
  FinalInstance,
  LaunchAsked,
  Outcome,
  Sighting,
} from './history.ts'

/** All violations. */
export function violations(
  history: readonly Event[],
  final: Final,
  rounds: readonly (readonly Sighting[])[],
): readonly string[] {
  return [
    ...launchViolations(history, final),
    ...changeViolations(history, final),
    ...tagViolations(history, final),
    ...keyViolations(history, final),
    ...readViolations(history),
    ...rounds.flatMap(sightingViolations),
  ]
}

/**
 * A token launches only once, however often and wherever it was used. Every answered instance
 * exists, and no other does.
 */
function launchViolations(history: readonly Event[], final: Final): readonly string[] {
  const found: string[] = []
  const launches = history.filter((one): one is LaunchAsked => one.kind === 'launch')
  const byToken = Map.groupBy(launches, ({ token }) => token)
  const finalByToken = Map.groupBy(final.instances, ({ token }) => token ?? '')
  for (const [token, tries] of byToken) {
    const answers = new Set(
      tries.filter(({ outcome }) => outcome === 'ok').map(({ ids }) => ids.toSorted().join(' ')),
    )
    if (answers.size > 1)
      found.push(`token ${token} launched more than once: ${[...answers].join(' / ')}`)
    const [answer] = answers
    const there = (finalByToken.get(token) ?? []).map(({ id }) => id).toSorted()
    const count = tries[0]?.count ?? 0
    if (answer !== undefined && answer !== there.join(' '))
      found.push(
        `token ${token} was answered with ${answer} and has ${there.join(' ') || 'nothing'}`,
      )
    const mayBeThere = tries.some(({ outcome }) => outcome !== 'refused')
    if (there.length > 0 && there.length !== count)
      found.push(`token ${token} has ${there.length} instances and not ${count}`)
    if (there.length > 0 && !mayBeThere)
      found.push(`token ${token} was refused and has ${there.join(' ')}`)
  }
  for (const token of finalByToken.keys())
    if (!byToken.has(token)) found.push(`nobody asked for the instances of token ${token}`)
  return found
}

/** The possible final states of an instance after these changes. */
function allowedStates(changes: readonly ChangeAsked[]): ReadonlySet<string> {
  let allowed = new Set(['running'])
  for (const { kind, outcome } of changes) {
    if (outcome === 'refused') continue
    const after = new Set([...allowed].map((state) => stateAfter(state, kind)))
    allowed = outcome === 'ok' ? after : new Set([...allowed, ...after])
  }
  return allowed
}

function stateAfter(state: string, kind: ChangeAsked['kind']): string {
  if (state === 'terminated' || kind === 'terminate') return 'terminated'
  return kind === 'stop' ? 'stopped' : 'running'
}

function changeViolations(history: readonly Event[], { instances }: Final): readonly string[] {
  const changes = Map.groupBy(
    history.filter((one): one is ChangeAsked => ['stop', 'start', 'terminate'].includes(one.kind)),
    ({ id }) => id,
  )
  return instances.flatMap(({ id, state }) => {
    const asked = changes.get(id) ?? []
    const allowed = allowedStates(asked)
    if (allowed.has(state)) return []
    const story = asked.map(({ kind, outcome }) => `${kind} ${outcome}`).join(', ') || 'nothing'
    return [`${id} is ${state} after: ${story}`]
  })
}

/**
 * The possible final values after a series of writes: the last successful one, or any later one
 * with an unknown outcome.
 */
function lastOf<T>(
  writes: readonly { readonly outcome: Outcome; readonly value: T }[],
): readonly T[] {
  let possible: T[] = []
  for (const { outcome, value } of writes) {
    if (outcome === 'ok') possible = [value]
    if (outcome === 'unknown') possible = [...possible, value]
  }
  return possible
}

function tagViolations(history: readonly Event[], { instances }: Final): readonly string[] {
  const tags = history.flatMap((one) => (one.kind === 'tag' ? [one] : []))
  const byId = new Map<string, FinalInstance>(instances.map((one) => [one.id, one]))
  const ended = new Set(
    history.flatMap((one) =>
      one.kind === 'terminate' && one.outcome !== 'refused' ? [one.id] : [],
    ),
  )
  return [...Map.groupBy(tags, ({ id, key }) => `${id} ${key}`).values()].flatMap((writes) => {
    const [first] = writes
    if (first === undefined || ended.has(first.id)) return []
    const { id, key } = first
    const value = byId.get(id)?.tags[key]
    const isWritten = writes.some(({ outcome }) => outcome === 'ok')
    if (value === undefined) return isWritten ? [`${id} has lost its tag ${key}`] : []
    const possible = lastOf(writes)
    if (possible.includes(value)) return []
    return [`${id} has ${key}=${value}, which may only be ${possible.join(' or ')}`]
  })
}

function keyViolations(history: readonly Event[], { keys }: Final): readonly string[] {
  const asked = history.flatMap((one) =>
    one.kind === 'create-key' || one.kind === 'delete-key' ? [one] : [],
  )
  return [...Map.groupBy(asked, ({ name }) => name)].flatMap(([name, events]) => {
    const writes = events.map(({ outcome, kind }) => ({ outcome, value: kind === 'create-key' }))
    const possible = lastOf([{ outcome: 'ok' as const, value: false }, ...writes])
    const there = keys.includes(name)
    return possible.includes(there) ? [] : [`key pair ${name} is ${there ? '' : 'not '}there`]
  })
}

/** After a write, a read by the same client shows it, or must be repeated. */
function readViolations(history: readonly Event[]): readonly string[] {
  return history.flatMap((one) => {
    if (one.kind !== 'read' || one.saw || one.outcome === 'unknown') return []
    return [`${one.of}, and then not there at ${one.host}${one.why ? `: ${one.why}` : ''}`]
  })
}

/** Of one observation of all hosts: no instance runs twice, and no address exists twice. */
function sightingViolations(seen: readonly Sighting[]): readonly string[] {
  const found: string[] = []
  for (const [instance, places] of Map.groupBy(seen, (one) => one.instance))
    if (places.length > 1)
      found.push(`${instance} runs on ${places.map(({ host }) => host).join(' and ')}`)
  const addresses = seen.flatMap((one) => one.addresses.map((address) => ({ ...one, address })))
  for (const [address, users] of Map.groupBy(addresses, (one) => one.address)) {
    const instances = new Set(users.map(({ instance }) => instance))
    if (instances.size > 1) found.push(`${address} is used by ${[...instances].join(' and ')}`)
  }
  return found
}
