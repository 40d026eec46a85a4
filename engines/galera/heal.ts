/**
 * Whether the nodes of a cluster that run without a majority may go on by themselves: one pure
 * decision, taken by each of them.
 *
 * Galera keeps writing when it loses a minority at once. When its nodes part and meet again in
 * several steps (a host is lost while the others are too busy to hear each other), it goes on only
 * once every member of the last primary component is back, so that two of three that see each other
 * may stay without service for ever. The rule here: more than half of the members of one view that
 * saw no later one may go on. No later primary component can exist without one of them, and no
 * second half can decide the same.
 */
import type { Position } from './decide.ts'

/**
 * What was heard from another node: it runs, in the primary component or not, and tells its
 * position in the second case.
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
 * Pure. `self` runs outside of a primary component, at `own`; silent nodes are absent from `heard`.
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
