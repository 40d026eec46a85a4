/**
 * Written by scripts/generate-wire.ts from @aws-sdk/client-sts; do not edit.
 * The notation is explained in ../wire/model.ts.
 */
import type { WireModel } from '../wire/model.ts'

export const STS_MODEL: WireModel = {
  version: '2011-06-15',
  namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
  wrapped: true,
  actions: {
    GetCallerIdentity: ['GetCallerIdentityRequest', 'GetCallerIdentityResponse']
  },
  inputs: {
    GetCallerIdentityRequest: {}
  },
  outputs: {
    GetCallerIdentityResponse: {
      UserId: 'UserId string',
      Account: 'Account string',
      Arn: 'Arn string'
    }
  }
}
