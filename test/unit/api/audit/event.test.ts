/** Records of sessions of roles, and of calls that nobody proved to have made. */
import { expect, it } from 'vitest'
import { auditEventOf } from '../../../../src/api/audit/event.ts'
import type { AuditedCall } from '../../../../src/api/audit/port.ts'
import { ALICE } from '../../../kit/api-cloud.ts'

const call: AuditedCall = {
  ...{ id: '00000000-0000-4000-8000-000000000001', requestId: 'r', atMs: 1_764_400_000_123 },
  ...{ caller: undefined, accessKey: 'ASIAKEY', action: 'DescribeVpcs', wire: undefined },
  ...{
    isReadOnly: true,
    input: undefined,
    output: undefined,
    source: '192.0.2.7',
    agent: 'a\r\nb',
  },
  fault: { kind: 'refused', code: 'AuthFailure', message: 'no'.repeat(1000) },
}
const place = { name: 'host1', region: 'atoll' }
const read = (more: Partial<AuditedCall>) => {
  const event = auditEventOf({ ...call, ...more }, place, 'other')
  return { ...event, event: JSON.parse(event.event) }
}

it('names the session of a role, and the key that was used', () => {
  const role = { name: 'ci', path: '/', id: 'AROAROLE', session: 'job-7', policies: [] }
  const caller = { account: ALICE, user: 'ci/job-7', accessKey: role.id, role } as const
  expect(read({ caller: { ...caller, isTemporary: true } })).toMatchObject({
    ...{ owner: ALICE, user: 'job-7', accessKey: 'ASIAKEY' },
    event: {
      userIdentity: {
        ...{ type: 'AssumedRole', principalId: 'AROAROLE:job-7', accessKeyId: 'ASIAKEY' },
        arn: `arn:aws:sts::${ALICE}:assumed-role/ci/job-7`,
        sessionContext: { sessionIssuer: { type: 'Role', userName: 'ci' } },
      },
    },
  })
})

it('gives what nobody proved to the operator, on one line and cut', () => {
  const { owner, event } = read({})
  expect(owner).toBe('strangers')
  expect(event).toMatchObject({
    ...{ userAgent: 'a??b', eventTime: '2025-11-29T07:06:40Z', errorCode: 'Client.AuthFailure' },
    userIdentity: { type: 'Unknown', accessKeyId: 'ASIAKEY' },
  })
  expect(event.errorMessage.length).toBeLessThan(1100)
  expect(event).not.toHaveProperty('recipientAccountId')
})
