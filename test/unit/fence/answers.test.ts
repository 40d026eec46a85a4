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
  cluster.sent.length = 0
  ask(cluster, 'a', 'b')
  ask(cluster, 'c', 'b')
  const recorded = [...cluster.sent]
  cluster.cut.clear()
  // Consents that counted would keep it from being granted anything, for ever.
  for (let passedMs = 0; passedMs < TIMES.promiseMs + 4 * TIMES.askMs; passedMs += TIMES.askMs) {
    for (const { to, bytes } of recorded) cluster.deliver(to, bytes)
    cluster.pass(TIMES.askMs)
  }
  expect(cluster.get('b').keeper.mayRun()).toBe(true)
})

it('is asked again with the newest ticket, where two questions have the same one', () => {
  const cluster = permitted()
  const { rounds } = cluster.get('a')
  const b = cluster.get('b').name
  cluster.cut.add(b)
  cluster.pass(2 * TIMES.promiseMs)
  const yes: number[] = []
  for (const index of [0, 1])
    rounds.begin({
      ...{ question: 'consent', about: b, membership: cluster.membership },
      askedAtMs: cluster.nowMs,
      told: (round) => {
        yes[index] = round.yes.size
      },
    })
  cluster.pass(TIMES.replyMs)
  expect(yes).toEqual([2, 2])
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
