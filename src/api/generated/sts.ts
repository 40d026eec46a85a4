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
    AssumeRole: ['AssumeRoleRequest', 'AssumeRoleResponse'],
    DecodeAuthorizationMessage: ['DecodeAuthorizationMessageRequest', 'DecodeAuthorizationMessageResponse'],
    GetAccessKeyInfo: ['GetAccessKeyInfoRequest', 'GetAccessKeyInfoResponse'],
    GetCallerIdentity: ['GetCallerIdentityRequest', 'GetCallerIdentityResponse'],
    GetFederationToken: ['GetFederationTokenRequest', 'GetFederationTokenResponse'],
    GetSessionToken: ['GetSessionTokenRequest', 'GetSessionTokenResponse']
  },
  inputs: {
    AssumeRoleRequest: {
      RoleArn: 'RoleArn string',
      RoleSessionName: 'RoleSessionName string',
      PolicyArns: 'PolicyArns PolicyDescriptorType[]',
      Policy: 'Policy string',
      DurationSeconds: 'DurationSeconds number',
      Tags: 'Tags Tag[]',
      TransitiveTagKeys: 'TransitiveTagKeys string[]',
      ExternalId: 'ExternalId string',
      SerialNumber: 'SerialNumber string',
      TokenCode: 'TokenCode string',
      SourceIdentity: 'SourceIdentity string',
      ProvidedContexts: 'ProvidedContexts ProvidedContext[]',
      MinimumSessionTokenSize: 'MinimumSessionTokenSize number'
    },
    DecodeAuthorizationMessageRequest: {
      EncodedMessage: 'EncodedMessage string'
    },
    GetAccessKeyInfoRequest: {
      AccessKeyId: 'AccessKeyId string'
    },
    GetCallerIdentityRequest: {},
    GetFederationTokenRequest: {
      Name: 'Name string',
      Policy: 'Policy string',
      PolicyArns: 'PolicyArns PolicyDescriptorType[]',
      DurationSeconds: 'DurationSeconds number',
      Tags: 'Tags Tag[]',
      MinimumSessionTokenSize: 'MinimumSessionTokenSize number'
    },
    GetSessionTokenRequest: {
      DurationSeconds: 'DurationSeconds number',
      SerialNumber: 'SerialNumber string',
      TokenCode: 'TokenCode string',
      MinimumSessionTokenSize: 'MinimumSessionTokenSize number'
    },
    PolicyDescriptorType: {
      arn: 'arn string'
    },
    ProvidedContext: {
      ProviderArn: 'ProviderArn string',
      ContextAssertion: 'ContextAssertion string'
    },
    Tag: {
      Key: 'Key string',
      Value: 'Value string'
    }
  },
  outputs: {
    AssumeRoleResponse: {
      Credentials: 'Credentials Credentials',
      AssumedRoleUser: 'AssumedRoleUser AssumedRoleUser',
      PackedPolicySize: 'PackedPolicySize number',
      SourceIdentity: 'SourceIdentity string',
      SessionTokenUtilization: 'SessionTokenUtilization number',
      SessionTokenSize: 'SessionTokenSize number'
    },
    AssumedRoleUser: {
      AssumedRoleId: 'AssumedRoleId string',
      Arn: 'Arn string'
    },
    Credentials: {
      AccessKeyId: 'AccessKeyId string',
      SecretAccessKey: 'SecretAccessKey string',
      SessionToken: 'SessionToken string',
      Expiration: 'Expiration timestamp'
    },
    DecodeAuthorizationMessageResponse: {
      DecodedMessage: 'DecodedMessage string'
    },
    FederatedUser: {
      FederatedUserId: 'FederatedUserId string',
      Arn: 'Arn string'
    },
    GetAccessKeyInfoResponse: {
      Account: 'Account string'
    },
    GetCallerIdentityResponse: {
      UserId: 'UserId string',
      Account: 'Account string',
      Arn: 'Arn string'
    },
    GetFederationTokenResponse: {
      Credentials: 'Credentials Credentials',
      FederatedUser: 'FederatedUser FederatedUser',
      PackedPolicySize: 'PackedPolicySize number',
      SessionTokenUtilization: 'SessionTokenUtilization number',
      SessionTokenSize: 'SessionTokenSize number'
    },
    GetSessionTokenResponse: {
      Credentials: 'Credentials Credentials',
      SessionTokenUtilization: 'SessionTokenUtilization number',
      SessionTokenSize: 'SessionTokenSize number'
    }
  }
}
