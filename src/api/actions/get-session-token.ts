/** GetSessionToken: temporary credentials with the rights of the caller's key. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { newSession, requireCipher } from '../../model/session-token.ts'
import { USERS_VERSION } from '../accounts/users.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'
import { onlySchema } from '../schemas.ts'

const DURATION = { least: 900, usual: 43_200, most: 129_600 }
const NO_MFA = 'there are no MFA devices'

/**
 * They end at their time, and when the key that they were made with is disabled or deleted.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
 */
export const getSessionToken = readAction({
  name: 'GetSessionToken',
  input: z.strictObject({
    DurationSeconds: z.int().min(DURATION.least).max(DURATION.most).default(DURATION.usual),
    SerialNumber: onlySchema('', `SerialNumber: ${NO_MFA}`),
    TokenCode: onlySchema('', `TokenCode: ${NO_MFA}`),
  }),
  async answer({ DurationSeconds }, { caller, now, messages, random, read, settings }) {
    if (caller.isTemporary === true)
      throw refused('AccessDenied', 'Cannot call GetSessionToken with session credentials')
    const cipher = requireCipher(messages)
    await read((tx) => refuseOlderHosts(tx, settings, USERS_VERSION, 'temporary credentials'))
    const expiresAtMs = Date.parse(now) + DurationSeconds * 1000
    const subject = { kind: 'key', parent: caller.accessKey, federated: null } as const
    const made = newSession(cipher, random, { subject, expiresAtMs })
    return {
      Credentials: {
        ...{ AccessKeyId: made.id, SecretAccessKey: made.secret, SessionToken: made.token },
        Expiration: new Date(expiresAtMs),
      },
    }
  },
})
