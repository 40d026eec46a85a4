/** Rows of `change.test.ts` for roles and instance profiles: which hosts see a change. */

import type { InstanceId } from '../../../src/model/ids.ts'
import { INSTANCE_OPTIONS } from '../../../src/model/instance-options.ts'
import { ALICE, type Cloud } from '../../kit/api-cloud.ts'
import { numbered } from '../../kit/records.ts'

interface Fixture {
  readonly cloud: Cloud
  /** An instance on `own`. */
  readonly plain: InstanceId
}

const NAME = 'web'
const READING = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
const DOCUMENT = '{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}'
const TRUST =
  '{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:*"}}'
const CLOSED = JSON.stringify({
  Statement: { Effect: 'Allow', Principal: { AWS: ALICE }, Action: 'sts:AssumeRole' },
})
const OF = {
  account: ALICE,
  name: NAME,
  path: '/',
  tags: [],
  createdAt: '2026-11-22T08:00:00.000Z',
}
const ROLE = { description: '', maxSessionSeconds: 3600, trust: TRUST }
const PROFILE = 'AIPAAAAAAAAAAAAAAAAAA'
const ASSOCIATION = numbered('iip-assoc', 1)

/** A role with a policy of each kind, and a profile that has the role and that `plain` has. */
const made =
  ({ role = true, hasRole = true, isAssociated = true, policies = true }) =>
  ({ cloud, plain }: Fixture) =>
    cloud.store.change(async (tx) => {
      if (role) await tx.insertRole({ ...OF, ...ROLE, id: 'AROAAAAAAAAAAAAAAAAAA' })
      const owner = { account: ALICE, owner: `role/${NAME}` } as const
      if (policies) {
        await tx.putIdentityPolicy({ ...owner, kind: 'inline', name: 'own', document: DOCUMENT })
        await tx.putIdentityPolicy({ ...owner, kind: 'managed', name: READING, document: '' })
      }
      await tx.insertInstanceProfile({ ...OF, id: PROFILE, role: hasRole ? NAME : null })
      const arn = `arn:aws:iam::${ALICE}:instance-profile/${NAME}`
      const profile = { association: ASSOCIATION, id: PROFILE, arn, since: OF.createdAt }
      if (isAssociated) await tx.associateProfile(plain, { ...INSTANCE_OPTIONS, profile })
    })
const whole = made({})
const apart = made({ hasRole: false })
const alone = made({ hasRole: false, isAssociated: false, policies: false })

const ofRole =
  (more: object = {}) =>
  () => ({ RoleName: NAME, ...more })
const ofProfile =
  (more: object = {}) =>
  () => ({ InstanceProfileName: NAME, ...more })
const TAGS = [{ Key: 'k', Value: 'v' }]
const GIVEN = { IamInstanceProfile: { Name: NAME } }

/** By action. */
export const ROLE_ROWS = {
  CreateRole: [{ input: ofRole({ AssumeRolePolicyDocument: TRUST }), sees: [] }],
  DeleteRole: [{ before: alone, input: ofRole(), sees: [] }],
  UpdateRole: [{ before: whole, input: ofRole({ Description: 'd' }), sees: [] }],
  UpdateRoleDescription: [{ before: whole, input: ofRole({ Description: 'd' }), sees: [] }],
  UpdateAssumeRolePolicy: [
    { before: whole, input: ofRole({ PolicyDocument: CLOSED }), sees: ['own'] },
  ],
  PutRolePolicy: [
    {
      before: whole,
      input: ofRole({ PolicyName: 'more', PolicyDocument: DOCUMENT }),
      sees: [],
    },
  ],
  DeleteRolePolicy: [{ before: whole, input: ofRole({ PolicyName: 'own' }), sees: [] }],
  AttachRolePolicy: [{ before: whole, input: ofRole({ PolicyArn: READING }), sees: [] }],
  DetachRolePolicy: [{ before: whole, input: ofRole({ PolicyArn: READING }), sees: [] }],
  TagRole: [{ before: whole, input: ofRole({ Tags: TAGS }), sees: [] }],
  UntagRole: [{ before: whole, input: ofRole({ TagKeys: ['k'] }), sees: [] }],
  CreateInstanceProfile: [{ input: ofProfile(), sees: [] }],
  DeleteInstanceProfile: [{ before: apart, input: ofProfile(), sees: ['own'] }],
  AddRoleToInstanceProfile: [
    { before: apart, input: ofProfile({ RoleName: NAME }), sees: ['own'] },
  ],
  RemoveRoleFromInstanceProfile: [
    { before: whole, input: ofProfile({ RoleName: NAME }), sees: ['own'] },
  ],
  TagInstanceProfile: [{ before: whole, input: ofProfile({ Tags: TAGS }), sees: [] }],
  UntagInstanceProfile: [{ before: whole, input: ofProfile({ TagKeys: ['k'] }), sees: [] }],
  AssociateIamInstanceProfile: [
    {
      before: made({ isAssociated: false }),
      input: ({ plain: InstanceId }: Fixture) => ({ InstanceId, ...GIVEN }),
      sees: ['own'],
    },
  ],
  DisassociateIamInstanceProfile: [
    { before: whole, input: () => ({ AssociationId: ASSOCIATION }), sees: ['own'] },
  ],
  ReplaceIamInstanceProfileAssociation: [
    {
      before: whole,
      input: () => ({ AssociationId: ASSOCIATION, ...GIVEN }),
      sees: [],
      // It has the same profile.
      rungInVain: ['own'],
    },
  ],
} as const
