/**
 * Which node starts the Galera cluster after all nodes were down. Every waiting node computes this
 * by itself. Pure.
 *
 * Galera restarts by itself only if every node of its last view returns and none was shut down
 * cleanly. Here the nodes tell each other their last commit, and the node that has every commit
 * starts the cluster. Two rules ensure that it is started only once:
 *
 * - The node that left last (`safe_to_bootstrap: 1`) may start: nobody went on without it.
 * - Otherwise all nodes of the list must have answered; or, after the patience time, more than half
 *   of the members of one view, who all saw no later view. A later primary component would have
 *   needed one of them, so there is none. (A commit that only an absent node has is lost then. That
 *   is why the node waits for all of them first.)
 */

/** The state of a stopped node, from its disk. */
export interface Position {
  /** Id of the cluster's history; null for a node that never was in a cluster. */
  readonly history: string | null
  /** Its last commit; -1 without history. */
  readonly commit: number
  /** It was the last node to shut down cleanly. */
  readonly leftLast: boolean
  /** The primary component that it was in when it died; null after a clean shutdown. */
  readonly view: View | null
}

/** A primary component: its members, and this node among them. */
export interface View {
  readonly id: string
  readonly me: string
  readonly members: readonly string[]
}

/** The present answer of another node. A node without an entry has not answered. */
export type Heard =
  | { readonly kind: 'serving'; readonly primary: boolean }
  | { readonly kind: 'waiting'; readonly position: Position }

/** Input of the decision. `nodes` is in the same order on all hosts. */
export interface Question {
  readonly nodes: readonly string[]
  readonly self: string
  readonly own: Position
  readonly heard: ReadonlyMap<string, Heard>
  /** The patience time is over: more than half of a view is enough. */
  readonly patienceEnded: boolean
  /** The operator wants this host to start a new cluster. */
  readonly newCluster: boolean
}

/**
 * `join`: start as a member of a running component, which may be waiting for lost members.
 * `bootstrap`: start the cluster. `wait`: ask again. `why` is for the operator.
 */
export type Decision =
  | { readonly kind: 'join'; readonly primary: boolean }
  | { readonly kind: 'bootstrap'; readonly why: string }
  | { readonly kind: 'wait'; readonly why: string }

/** Decides. Pure: the same input has the same result on every node. */
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
      why: `nodes have different histories (${[...histories].join(', ')}): keep the right one, and empty the data directory of the others`,
    }
  const silent = nodes.filter((node) => known.every((one) => one.node !== node))
  if (histories.size === 0) return decideNew(question, silent)

  const ahead = known.some(({ position }) => position.commit > own.commit)
  if (own.leftLast && !ahead) return { kind: 'bootstrap', why: 'this node left last' }
  const enough = silent.length === 0 || (question.patienceEnded && hasMajorityOfView(known))
  if (!enough) return { kind: 'wait', why: `no answer from ${silent.join(', ')}` }
  const first = nodes
    .flatMap((node) => known.filter((one) => one.node === node && one.position.history !== null))
    .reduce((best, one) => (one.position.commit > best.position.commit ? one : best))
  if (first.node !== self)
    return {
      kind: 'wait',
      why: `${first.node} has commit ${first.position.commit} and starts the cluster`,
    }
  return {
    kind: 'bootstrap',
    why: `this node has commit ${own.commit}, nobody has more; ${silent.length === 0 ? 'all nodes answered' : `no answer from ${silent.join(', ')}`}`,
  }
}

/** The decision when no node that answered has data. */
function decideNew({ newCluster, nodes, self }: Question, silent: readonly string[]): Decision {
  if (newCluster) return { kind: 'bootstrap', why: 'this host was told to start a new cluster' }
  if (silent.length > 0)
    return {
      kind: 'wait',
      why: `a new cluster starts when all nodes answer; no answer from ${silent.join(', ')}`,
    }
  return nodes[0] === self
    ? { kind: 'bootstrap', why: 'all nodes are new, and this one is the first of the list' }
    : { kind: 'wait', why: `all nodes are new: ${nodes[0] ?? 'nobody'} starts the cluster` }
}

/** Whether these are more than half of the members of one view, and saw no later view. */
function hasMajorityOfView(known: readonly { readonly position: Position }[]): boolean {
  const views = known.flatMap(({ position }) => position.view ?? [])
  return views.some(({ id, members }) => {
    const holders = new Set(views.filter((view) => view.id === id).map((view) => view.me))
    return members.filter((member) => holders.has(member)).length * 2 > members.length
  })
}
