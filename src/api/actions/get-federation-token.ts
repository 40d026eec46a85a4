/** GetFederationToken: temporary credentials with a part of the caller's rights, for another. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { federatedArn } from '../../model/iam-names.ts'
import { newSession, requireCipher } from '../../model/session-token.ts'
import { refuseMissing } from '../accounts/own-policies.ts'
import { sessionPolicies, sessionPolicyShape } from '../accounts/session-policies.ts'
import { USERS_VERSION } from '../accounts/users.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'
import { onlySchema } from '../schemas.ts'

const DURATION = { least: 900, usual: 43_200, most: 129_600 }

/**
 * They may do what the policies of the request allow, as far as the caller may, but nothing of IAM
 * and of STS. They end at their time, and when the key that they were made with is disabled or
 * deleted.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
 */
export const getFederationToken = readAction({
  name: 'GetFederationToken',
  input: z.strictObject({
    Name: z.string().regex(/^[\w+=,.@-]{2,32}$/),
    DurationSeconds: z.int().min(DURATION.least).max(DURATION.most).default(DURATION.usual),
    ...sessionPolicyShape,
    Tags: onlySchema('', 'Tags: sessions have no tags'),
  }),
  async answer(asked, { account, caller, now, messages, random, read, settings }) {
    if (caller.isTemporary === true)
      throw refused('AccessDenied', 'Cannot call GetFederationToken with session credentials')
    const cipher = requireCipher(messages)
    const policies = sessionPolicies(asked)
    await read(async (tx) => {
      await refuseOlderHosts(tx, settings, USERS_VERSION, 'temporary credentials')
      for (const { arn } of asked.PolicyArns) await refuseMissing(tx, account, arn)
    })
    const { Name: name, DurationSeconds } = asked
    const expiresAtMs = Date.parse(now) + DurationSeconds * 1000
    const subject = {
      ...{ kind: 'key' as const, parent: caller.accessKey },
      federated: { name, policies },
    }
    const made = newSession(cipher, random, { subject, expiresAtMs })
    return {
      Credentials: {
        ...{ AccessKeyId: made.id, SecretAccessKey: made.secret, SessionToken: made.token },
        Expiration: new Date(expiresAtMs),
      },
      FederatedUser: {
        FederatedUserId: `${account}:${name}`,
        Arn: federatedArn(account, name),
      },
    }
  },
})
