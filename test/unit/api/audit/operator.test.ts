/** Orders at the operator's socket, and the list of all records. */
import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { addAuditRoute, recordOrders } from '../../../../src/api/audit/operator.ts'
import { ACTOR_HEADER, OPERATOR } from '../../../../src/model/audit.ts'
import { refused } from '../../../../src/model/errors.ts'
import { withoutReplica } from '../../../../src/store/replica-reads.ts'
import { ALICE, type Cloud, openCloud } from '../../../kit/api-cloud.ts'
import { openTestAudit, type TestAudit } from '../../../kit/audit.ts'

let cloud: Cloud
let test: TestAudit
let server: FastifyInstance
beforeEach(async () => {
  cloud = await openCloud()
  test = await openTestAudit(cloud.store)
  server = fastify()
  server.setErrorHandler((error, _request, reply) => reply.code(409).send({ error: String(error) }))
  recordOrders(server, test.audit)
  addAuditRoute(server, withoutReplica(cloud.store))
  server.post<{ Params: { name: string; order: string } }>(
    '/v1/hosts/:name/:order',
    async ({ params }) => {
      if (params.order === 'forget') throw refused('InvalidParameterValue', 'the host is alive')
      return {}
    },
  )
})
afterEach(async () => {
  await server.close()
  await test[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

it('records who gave which order, and what came of it', async () => {
  const headers = { [ACTOR_HEADER]: 'root (login uid 1000)' }
  await server.inject({ method: 'POST', url: '/v1/hosts/host-1/drain?why=x', headers })
  await server.inject({ method: 'POST', url: '/v1/hosts/host-1/forget', headers })
  await server.inject({ method: 'GET', url: '/v1/audit' })
  await expect.poll(async () => (await test.stored(OPERATOR)).length).toBe(2)
  const found = await server.inject({ method: 'GET', url: '/v1/audit?account=operator&limit=1' })
  expect(found.json()).toMatchObject([
    {
      ...{ owner: OPERATOR, user: 'root (login uid 1000)', action: 'hosts forget' },
      event: { errorMessage: 'the host is alive', requestParameters: { path: expect.any(String) } },
    },
  ])
  const all = await server.inject({ method: 'GET', url: '/v1/audit' })
  expect(all.json()).toMatchObject([{}, { event: { requestParameters: { query: 'why=x' } } }])
  const none = await server.inject({ method: 'GET', url: `/v1/audit?account=${ALICE}` })
  expect(none.json()).toEqual([])
})

it.each(['account=nobody', 'limit=0', 'limit=1e9', 'since=yesterday'])(
  'refuses %s',
  async (query) => {
    expect((await server.inject({ method: 'GET', url: `/v1/audit?${query}` })).statusCode).toBe(409)
  },
)
