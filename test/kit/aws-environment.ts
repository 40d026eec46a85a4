/** The environment of clients of AWS that tests start. */
import { KEY } from './api.ts'

/**
 * The key of the test's account, or one with another secret; one attempt for each call, and no look
 * for an instance's own credentials.
 */
export function awsEnvironment(secret = KEY.secret): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    AWS_ACCESS_KEY_ID: KEY.id,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_DEFAULT_REGION: 'atoll',
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}
