/** AssumeRole: temporary credentials with the rights of a role. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { parseIamArn, sessionArn } from '../../model/iam-names.ts'
import { newSession, requireCipher } from '../../model/session-token.ts'
import { refuseMissing } from '../accounts/own-policies.ts'
import { requireAssumable } from '../accounts/role-rights.ts'
import { ROLES_VERSION } from '../accounts/roles.ts'
import { sessionPolicies, sessionPolicyShape } from '../accounts/session-policies.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'
import { onlySchema, withCode } from '../schemas.ts'

const DURATION = { least: 900, usual: 3600, most: 43_200 }
/** Of a session that another role asks for. */
const CHAINED_SECONDS_MAX = 3600
const NO_MFA = 'there are no MFA devices'
const NO_TAGS = 'sessions have no tags'

const word = (least: number, most: number, more = '') =>
  z.string().regex(new RegExp(`^[\\w+=,.@${more}-]{${least},${most}}$`))

/**
 * The session ends at its time, and when the role is deleted. Its rights are those that the role
 * has at the moment of a request, as far as the session's own policies allow the same.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
export const assumeRole = readAction({
  name: 'AssumeRole',
  input: z.strictObject({
    RoleArn: z.string().refine((arn) => parseIamArn('role', arn) !== undefined, {
      error: 'The RoleArn is not the ARN of a role: arn:aws:iam::123456789012:role/NAME',
      ...withCode('ValidationError'),
    }),
    RoleSessionName: word(2, 64),
    DurationSeconds: z.int().min(DURATION.least).max(DURATION.most).default(DURATION.usual),
    ExternalId: word(2, 1224, ':/').optional(),
    ...sessionPolicyShape,
    Tags: onlySchema('', `Tags: ${NO_TAGS}`),
    TransitiveTagKeys: onlySchema('', `TransitiveTagKeys: ${NO_TAGS}`),
    SourceIdentity: onlySchema('', 'SourceIdentity: sessions have none'),
    ProvidedContexts: onlySchema('', 'ProvidedContexts: there are no identity providers'),
    SerialNumber: onlySchema('', `SerialNumber: ${NO_MFA}`),
    TokenCode: onlySchema('', `TokenCode: ${NO_MFA}`),
  }),
  async answer(asked, reading) {
    const { caller, now, messages, random, read, settings, sourceIp } = reading
    const cipher = requireCipher(messages)
    const policies = sessionPolicies(asked)
    const { RoleSessionName: session, DurationSeconds } = asked
    const assuming = { ...{ caller, settings, now, sourceIp, session }, arn: asked.RoleArn }
    const role = await read(async (tx) => {
      await refuseOlderHosts(tx, settings, ROLES_VERSION, 'credentials of roles')
      const found = await requireAssumable(tx, { ...assuming, externalId: asked.ExternalId })
      // Those of the cloud, and of the role's account.
      for (const { arn } of asked.PolicyArns) await refuseMissing(tx, found.account, arn)
      return found
    })
    if (DurationSeconds > role.maxSessionSeconds)
      throw refused(
        'ValidationError',
        'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
      )
    if (caller.role !== undefined && DurationSeconds > CHAINED_SECONDS_MAX)
      throw refused(
        'ValidationError',
        'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
      )
    const { account, name, id } = role
    const expiresAtMs = Date.parse(now) + DurationSeconds * 1000
    const made = newSession(cipher, random, {
      subject: { kind: 'role', account, role: { name, id, session, policies }, instance: null },
      expiresAtMs,
    })
    return {
      Credentials: {
        ...{ AccessKeyId: made.id, SecretAccessKey: made.secret, SessionToken: made.token },
        Expiration: new Date(expiresAtMs),
      },
      AssumedRoleUser: {
        AssumedRoleId: `${id}:${session}`,
        Arn: sessionArn(account, name, session),
      },
    }
  },
})
