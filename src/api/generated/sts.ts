/**
 * Written by scripts/generate-wire.ts from @aws-sdk/client-sts; do not edit.
 * The notation is explained in ../wire/model.ts.
 */
import type { WireModel } from '../wire/model.ts'

export const STS_MODEL: WireModel = {
  name: 'sts',
  version: '2011-06-15',
  namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
  wrapped: true,
  actions: {
    DecodeAuthorizationMessage: ['DecodeAuthorizationMessageRequest', 'DecodeAuthorizationMessageResponse'],
    GetCallerIdentity: ['GetCallerIdentityRequest', 'GetCallerIdentityResponse'],
    GetSessionToken: ['GetSessionTokenRequest', 'GetSessionTokenResponse']
  },
  inputs: {
    DecodeAuthorizationMessageRequest: {
      EncodedMessage: 'EncodedMessage string'
    },
    GetCallerIdentityRequest: {},
    GetSessionTokenRequest: {
      DurationSeconds: 'DurationSeconds number',
      SerialNumber: 'SerialNumber string',
      TokenCode: 'TokenCode string',
      MinimumSessionTokenSize: 'MinimumSessionTokenSize number'
    }
  },
  outputs: {
    Credentials: {
      AccessKeyId: 'AccessKeyId string',
      SecretAccessKey: 'SecretAccessKey string',
      SessionToken: 'SessionToken string',
      Expiration: 'Expiration timestamp'
    },
    DecodeAuthorizationMessageResponse: {
      DecodedMessage: 'DecodedMessage string'
    },
    GetCallerIdentityResponse: {
      UserId: 'UserId string',
      Account: 'Account string',
      Arn: 'Arn string'
    },
    GetSessionTokenResponse: {
      Credentials: 'Credentials Credentials',
      SessionTokenUtilization: 'SessionTokenUtilization number',
      SessionTokenSize: 'SessionTokenSize number'
    }
  }
}
