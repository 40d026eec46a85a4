/**
 * Decides whether nodes that run without a majority may form a primary component. Each node decides
 * for itself. Pure.
 *
 * Galera continues when it loses a minority at once. When its nodes separate and meet again in
 * several steps (a host is lost while the others are too busy to hear each other), it waits until
 * every member of the last primary component is back. So two of three nodes that see each other may
 * stay without service for ever. The rule here: more than half of the members of one view that saw
 * no later one may continue. No later primary component can exist without one of them, and no
 * second half can decide the same.
 */
import type { Position } from './decide.ts'

/**
 * The answer of another node: it runs, in the primary component or not. If not, it tells its
 * position.
 */
export interface Running {
  readonly primary: boolean
  readonly position: Position | null
}

/** `bootstrap`: this node makes those that it is connected with the primary component. */
export type Healing =
  | { readonly kind: 'bootstrap'; readonly why: string }
  | { readonly kind: 'wait'; readonly why: string }

/**
 * Decides. `self` runs outside of a primary component, at `own`. Nodes without an answer are not in
 * `heard`.
 */
export function decideHealing(question: {
  readonly nodes: readonly string[]
  readonly self: string
  readonly own: Position
  readonly heard: ReadonlyMap<string, Running>
}): Healing {
  const { nodes, self, own, heard } = question
  const primary = nodes.find((node) => heard.get(node)?.primary === true)
  if (primary !== undefined) return { kind: 'wait', why: `${primary} is in a primary component` }
  const { view } = own
  if (view === null) return { kind: 'wait', why: 'this node knows of no last primary component' }
  const holders = nodes.flatMap((node) => {
    const position = node === self ? own : heard.get(node)?.position
    const holds = position?.view?.id === view.id && position.history === own.history
    return holds && position.view !== null ? [{ node, position, me: position.view.me }] : []
  })
  const present = new Set(holders.map(({ me }) => me))
  const count = view.members.filter((member) => present.has(member)).length
  const share = `${count} of the last ${view.members.length}`
  if (count * 2 <= view.members.length) return { kind: 'wait', why: `only ${share} are here` }
  const first = holders.reduce((best, one) =>
    one.position.commit > best.position.commit ? one : best,
  )
  return first.node === self
    ? { kind: 'bootstrap', why: `${share} are here, none of them has more than ${own.commit}` }
    : { kind: 'wait', why: `${first.node} has commit ${first.position.commit} and begins` }
}
