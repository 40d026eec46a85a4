/**
 * Who starts the Galera cluster after all of its nodes were away: one pure decision, taken by every
 * node by itself while it waits.
 *
 * Galera starts again by itself only when every node of its last view returns and none of them was
 * stopped in good order. Here the nodes tell each other how far they got, and the one that has
 * every commit begins. Two rules keep it from ever starting twice:
 *
 * - A node that left last (`safe_to_bootstrap: 1`) knows that nobody went on without it.
 * - Otherwise either all nodes of the list are heard, or, once patience ends, more than half of the
 *   members of one view are heard for whom it is the last one. No later primary component can exist
 *   then, as it would have needed one of them. (A commit that only an absent node had on its disk
 *   is lost in that case, which is why all of them are waited for first.)
 */

/** What a stopped node knows of itself, from its disk. */
export interface Position {
  /** The cluster's history that this node is a part of; null when it never was in a cluster. */
  readonly history: string | null
  /** The last commit that it has; -1 with no history. */
  readonly commit: number
  /** It was the last one to leave in good order. */
  readonly leftLast: boolean
  /** The primary component that it was in when it died; null after a stop in good order. */
  readonly view: View | null
}

/** A primary component: its members, and which of them this node was. */
export interface View {
  readonly id: string
  readonly me: string
  readonly members: readonly string[]
}

/** What was heard from another node just now. Silence is the absence of an entry. */
export type Heard =
  | { readonly kind: 'serving'; readonly primary: boolean }
  | { readonly kind: 'waiting'; readonly position: Position }

/** What there is to decide on. `nodes` is the list that all hosts share, in the same order. */
export interface Question {
  readonly nodes: readonly string[]
  readonly self: string
  readonly own: Position
  readonly heard: ReadonlyMap<string, Heard>
  /** Patience has ended: more than half of a view will do. */
  readonly patienceEnded: boolean
  /** The operator said that this host starts a cluster that has never been. */
  readonly newCluster: boolean
}

/**
 * `join`: start as a member, of a primary component or of one that waits for its lost members (and
 * knows them by the identity that they kept); `bootstrap`: start the cluster; `wait`: ask again,
 * `why` is for the operator.
 */
export type Decision =
  | { readonly kind: 'join'; readonly primary: boolean }
  | { readonly kind: 'bootstrap'; readonly why: string }
  | { readonly kind: 'wait'; readonly why: string }

/** Pure: the same question has the same answer on every node. */
export function decide(question: Question): Decision {
  const { own, heard, self, nodes } = question
  const serving = [...heard.values()].flatMap((one) => (one.kind === 'serving' ? one : []))
  if (serving.length > 0) return { kind: 'join', primary: serving.some((one) => one.primary) }
  const others = [...heard].flatMap(([node, one]) =>
    one.kind === 'waiting' && node !== self ? [{ node, position: one.position }] : [],
  )
  const known = [{ node: self, position: own }, ...others].filter(({ node }) =>
    nodes.includes(node),
  )
  const histories = new Set(known.flatMap(({ position }) => position.history ?? []))
  if (histories.size > 1)
    return {
      kind: 'wait',
      why: `nodes have different histories (${[...histories].join(', ')}): empty the data directory of those that are wrong`,
    }
  const silent = nodes.filter((node) => known.every((one) => one.node !== node))
  if (histories.size === 0) return decideNew(question, silent)

  const ahead = known.some(({ position }) => position.commit > own.commit)
  if (own.leftLast && !ahead) return { kind: 'bootstrap', why: 'this node left last' }
  const enough = silent.length === 0 || (question.patienceEnded && holdsAView(known))
  if (!enough) return { kind: 'wait', why: `not heard: ${silent.join(', ')}` }
  const first = nodes
    .flatMap((node) => known.filter((one) => one.node === node && one.position.history !== null))
    .reduce((best, one) => (one.position.commit > best.position.commit ? one : best))
  if (first.node !== self)
    return { kind: 'wait', why: `${first.node} has commit ${first.position.commit} and begins` }
  return {
    kind: 'bootstrap',
    why: `this node has commit ${own.commit}, nobody has more; ${silent.length === 0 ? 'all nodes heard' : `not heard: ${silent.join(', ')}`}`,
  }
}

/** Nobody who was heard has any data. */
function decideNew({ newCluster, nodes, self }: Question, silent: readonly string[]): Decision {
  if (newCluster) return { kind: 'bootstrap', why: 'this host was told to start a new cluster' }
  if (silent.length > 0)
    return {
      kind: 'wait',
      why: `no cluster yet: it starts when all nodes are there, not heard: ${silent.join(', ')}`,
    }
  return nodes[0] === self
    ? { kind: 'bootstrap', why: 'all nodes are there and new, this one is the first of the list' }
    : { kind: 'wait', why: `all nodes are there and new: ${nodes[0] ?? 'nobody'} begins` }
}

/** Whether more than half of the members of one view are among these and saw no later one. */
function holdsAView(known: readonly { readonly position: Position }[]): boolean {
  const views = known.flatMap(({ position }) => position.view ?? [])
  return views.some(({ id, members }) => {
    const holders = new Set(views.filter((view) => view.id === id).map((view) => view.me))
    return members.filter((member) => holders.has(member)).length * 2 > members.length
  })
}
