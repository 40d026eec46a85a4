import { expect, it } from 'vitest'
import { isMajority } from '../../../src/plan/failover/membership.ts'
import type { Round } from '../../../src/plan/failover/round.ts'
import { FenceCluster, TIMES } from '../../kit/fence-cluster.ts'

/** Has `by` ask for consent to take over `about`; returns who said yes. */
function ask(cluster: FenceCluster, by: string, about: string): Round['yes'] {
  let said: Round['yes'] = new Set()
  cluster.get(by).rounds.begin({
    question: 'consent',
    about: cluster.get(about).name,
    membership: cluster.membership,
    askedAtMs: cluster.nowMs,
    told: (round) => {
      said = round.yes
    },
  })
  cluster.pass(TIMES.replyMs)
  return said
}

function permitted(): FenceCluster {
  const cluster = new FenceCluster(['a', 'b', 'c'])
  cluster.pass(TIMES.promiseMs + 3 * TIMES.askMs)
  return cluster
}

it('consents to the takeover of a host that has been silent for as long as promised', () => {
  const cluster = permitted()
  const isWon = () => isMajority(cluster.membership, ask(cluster, 'a', 'b'))
  expect(isWon()).toBe(false)
  cluster.cut.add(cluster.get('b').name)
  cluster.pass(TIMES.promiseMs - 3 * TIMES.replyMs - TIMES.askMs)
  expect(isWon()).toBe(false)
  cluster.pass(3 * TIMES.askMs)
  expect(isWon()).toBe(true)
  expect(cluster.get('b').keeper.mayRun()).toBe(false)
  // Back again, it is granted nothing until that has run out.
  cluster.cut.clear()
  cluster.pass(TIMES.promiseMs - 2 * TIMES.replyMs - TIMES.askMs)
  expect(cluster.get('b').keeper.mayRun()).toBe(false)
  cluster.pass(4 * TIMES.askMs)
  expect(cluster.get('b').keeper.mayRun()).toBe(true)
})

it('does nothing for a question that somebody has recorded, and sends again', () => {
  const cluster = permitted()
  cluster.cut.add(cluster.get('b').name)
  cluster.pass(2 * TIMES.promiseMs)
  ask(cluster, 'a', 'b')
  const recorded = cluster.sent.filter(({ to }) => to === 'c')
  cluster.cut.clear()
  cluster.pass(3 * TIMES.promiseMs)
  expect(cluster.get('b').keeper.mayRun()).toBe(true)
  const { term } = cluster.get('b').keeper.permission
  for (let times = 0; times < 20; times += 1) {
    for (const { to, bytes } of recorded.slice(-50)) cluster.deliver(to, bytes)
    cluster.pass(TIMES.askMs)
  }
  // A consent that counted would have ended its permission.
  expect(cluster.get('b').keeper.mayRun()).toBe(true)
  expect(cluster.get('b').keeper.permission.term).toBe(term)
})

it('grants to a host itself only, and answers no stranger', () => {
  const cluster = permitted()
  const { answers, name } = cluster.get('a')
  const [b, c] = [cluster.get('b').name, cluster.get('c').name]
  const nonces = { round: '00'.repeat(16), ticket: '00'.repeat(16) }
  const question = { type: 'grant', version: 1, ...nonces, by: b, about: c } as const
  const first = answers.to(question)
  expect(first?.type).toBe('again')
  expect(answers.to({ ...question, ticket: first?.ticket ?? '' })?.type).toBe('no')
  answers.adopt({ version: 2, members: [name, c] })
  expect(answers.to(question)).toBe(null)
})
