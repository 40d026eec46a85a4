/** The credentials of roles in the metadata: made on the host, renewed, and ended with the role. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSecretCipher } from '../../../../src/lib/secret-cipher.ts'
import type { ProfileWant } from '../../../../src/model/profile-want.ts'
import { openSession } from '../../../../src/model/session-token.ts'
import type { InstanceWant } from '../../../../src/model/want.ts'
import { createRoleCredentials } from '../../../../src/services/metadata/role-credentials.ts'
import { documentOf, metadataTree, nodeAt } from '../../../../src/services/metadata/tree.ts'
import { instance } from '../../../../tools/kit/instance.ts'

const SETTINGS = { zone: 'atoll.internal', region: 'atoll-1', architecture: 'x86_64' }
const HOUR = 3_600_000
const START = Date.parse('2026-11-29T12:00:00.500Z')
const cipher = createSecretCipher(new Uint8Array(32).fill(3))
const profile: ProfileWant = {
  id: 'AIPAAAAAAAAAAAAAAAAAA',
  arn: 'arn:aws:iam::000000000001:instance-profile/web',
  role: { name: 'web', id: 'AROAAAAAAAAAAAAAAAAAA', isTrusting: true },
}
const PATH = 'latest/meta-data/iam/security-credentials/web'

/** A host, and what one of its instances reads. */
function host(key: typeof cipher | null = cipher) {
  const roles = createRoleCredentials({ cipher: key, random: randomBytes })
  const read = (want: InstanceWant, path: string, nowMs = START) => {
    const node = nodeAt(metadataTree(want, SETTINGS, roles), path.split('/'))
    return node && String(documentOf(node, nowMs).body)
  }
  return {
    roles,
    read,
    credentials: (want: InstanceWant, nowMs = START) => JSON.parse(read(want, PATH, nowMs) ?? '{}'),
  }
}

describe('credentials of a role', () => {
  const one = instance(7, { profile })

  it('are those of its instance, which every host can verify', () => {
    const { read, credentials } = host()
    expect(read(one, 'latest/meta-data/iam')).toBe('info\nsecurity-credentials/')
    expect(read(one, 'latest/meta-data/iam/security-credentials')).toBe('web')
    const { AccessKeyId, SecretAccessKey, Token, ...rest } = credentials(one)
    expect(rest).toEqual({
      ...{ Code: 'Success', LastUpdated: '2026-11-29T12:00:00Z', Type: 'AWS-HMAC' },
      Expiration: '2026-11-29T18:00:00Z',
    })
    expect(openSession(cipher, AccessKeyId, Token)).toMatchObject({
      secret: SecretAccessKey,
      subject: {
        ...{ kind: 'role', account: one.account, instance: one.id },
        role: { name: 'web', id: profile.role?.id, session: one.id, policies: [] },
      },
      expiresAtMs: START + 6 * HOUR,
    })
    expect(JSON.parse(read(one, 'latest/meta-data/iam/info') ?? '')).toEqual({
      ...{ Code: 'Success', LastUpdated: '2026-11-29T12:00:00Z' },
      ...{ InstanceProfileArn: profile.arn, InstanceProfileId: profile.id },
    })
  })

  it('stay the same for an hour, and are renewed long before they end', () => {
    const { credentials } = host()
    const first = credentials(one)
    expect(credentials(one, START + HOUR - 1)).toEqual(first)
    const second = credentials(one, START + HOUR)
    expect(second.AccessKeyId).not.toBe(first.AccessKeyId)
    // The clock was set back.
    expect(credentials(one, START - 1).AccessKeyId).not.toBe(second.AccessKeyId)
  })

  it('are others for another role of the same name, and for another instance', () => {
    const { roles, credentials } = host()
    const first = credentials(one).AccessKeyId
    const again = { ...profile, role: { ...profile.role, id: 'AROABBBBBBBBBBBBBBBBB' } }
    expect(credentials(instance(7, { profile: again as ProfileWant })).AccessKeyId).not.toBe(first)
    expect(credentials(instance(8, { profile })).AccessKeyId).not.toBe(first)
    const kept = credentials(one).AccessKeyId
    roles.keep([one])
    expect(credentials(one).AccessKeyId).toBe(kept)
    roles.keep([])
    expect(credentials(one).AccessKeyId).not.toBe(kept)
  })

  it('are not there without a profile, a role, or a secret of the cloud', () => {
    expect(host().read(instance(7), 'latest/meta-data/iam')).toBeUndefined()
    const { role: _, ...bare } = profile
    const without = instance(7, { profile: bare })
    expect(host().read(without, 'latest/meta-data/iam')).toBe('info')
    expect(host().read(without, PATH)).toBeUndefined()
    expect(host(null).read(one, PATH)).toBeUndefined()
  })

  it('are refused as in EC2 for a role that does not trust EC2', () => {
    const role = { name: 'web', id: 'AROAAAAAAAAAAAAAAAAAA', isTrusting: false }
    const { credentials } = host()
    expect(credentials(instance(7, { profile: { ...profile, role } }))).toMatchObject({
      Code: 'AssumeRoleUnauthorizedAccess',
    })
  })
})

describe('a token', () => {
  it('is of its key only, and of this cloud', () => {
    const { AccessKeyId, Token } = host().credentials(instance(7, { profile }))
    const other = createSecretCipher(new Uint8Array(32).fill(4))
    expect(openSession(other, AccessKeyId, Token)).toBeUndefined()
    expect(openSession(cipher, `${AccessKeyId.slice(0, -1)}0`, Token)).toBeUndefined()
    expect(openSession(cipher, AccessKeyId, `${Token.slice(0, -2)}AA`)).toBeUndefined()
    expect(openSession(cipher, AccessKeyId.replace('ASIA', 'AKIA'), Token)).toBeUndefined()
    expect(openSession(null, AccessKeyId, Token)).toBeUndefined()
  })
})
