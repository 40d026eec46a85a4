/**
 * Written by scripts/generate-wire.ts from @aws-sdk/client-iam; do not edit.
 * The notation is explained in ../wire/model.ts.
 */
import type { WireModel } from '../wire/model.ts'

export const IAM_MODEL: WireModel = {
  name: 'iam',
  version: '2010-05-08',
  namespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
  wrapped: true,
  actions: {
    AttachUserPolicy: ['AttachUserPolicyRequest', 'unit'],
    CreateAccessKey: ['CreateAccessKeyRequest', 'CreateAccessKeyResponse'],
    CreateUser: ['CreateUserRequest', 'CreateUserResponse'],
    DeleteAccessKey: ['DeleteAccessKeyRequest', 'unit'],
    DeleteUser: ['DeleteUserRequest', 'unit'],
    DeleteUserPolicy: ['DeleteUserPolicyRequest', 'unit'],
    DetachUserPolicy: ['DetachUserPolicyRequest', 'unit'],
    GetAccessKeyLastUsed: ['GetAccessKeyLastUsedRequest', 'GetAccessKeyLastUsedResponse'],
    GetPolicy: ['GetPolicyRequest', 'GetPolicyResponse'],
    GetPolicyVersion: ['GetPolicyVersionRequest', 'GetPolicyVersionResponse'],
    GetUser: ['GetUserRequest', 'GetUserResponse'],
    GetUserPolicy: ['GetUserPolicyRequest', 'GetUserPolicyResponse'],
    ListAccessKeys: ['ListAccessKeysRequest', 'ListAccessKeysResponse'],
    ListAccountAliases: ['ListAccountAliasesRequest', 'ListAccountAliasesResponse'],
    ListAttachedUserPolicies: ['ListAttachedUserPoliciesRequest', 'ListAttachedUserPoliciesResponse'],
    ListGroupsForUser: ['ListGroupsForUserRequest', 'ListGroupsForUserResponse'],
    ListPolicies: ['ListPoliciesRequest', 'ListPoliciesResponse'],
    ListUserPolicies: ['ListUserPoliciesRequest', 'ListUserPoliciesResponse'],
    ListUsers: ['ListUsersRequest', 'ListUsersResponse'],
    PutUserPolicy: ['PutUserPolicyRequest', 'unit'],
    UpdateAccessKey: ['UpdateAccessKeyRequest', 'unit']
  },
  inputs: {
    AttachUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyArn: 'PolicyArn string'
    },
    CreateAccessKeyRequest: {
      UserName: 'UserName string'
    },
    CreateUserRequest: {
      UserName: 'UserName string',
      Path: 'Path string',
      PermissionsBoundary: 'PermissionsBoundary string',
      Tags: 'Tags Tag[]'
    },
    DeleteAccessKeyRequest: {
      AccessKeyId: 'AccessKeyId string',
      UserName: 'UserName string'
    },
    DeleteUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyName: 'PolicyName string'
    },
    DeleteUserRequest: {
      UserName: 'UserName string'
    },
    DetachUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyArn: 'PolicyArn string'
    },
    GetAccessKeyLastUsedRequest: {
      AccessKeyId: 'AccessKeyId string'
    },
    GetPolicyRequest: {
      PolicyArn: 'PolicyArn string'
    },
    GetPolicyVersionRequest: {
      PolicyArn: 'PolicyArn string',
      VersionId: 'VersionId string'
    },
    GetUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyName: 'PolicyName string'
    },
    GetUserRequest: {
      UserName: 'UserName string'
    },
    ListAccessKeysRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListAccountAliasesRequest: {
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListAttachedUserPoliciesRequest: {
      UserName: 'UserName string',
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListGroupsForUserRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListPoliciesRequest: {
      Scope: 'Scope string',
      OnlyAttached: 'OnlyAttached boolean',
      PathPrefix: 'PathPrefix string',
      PolicyUsageFilter: 'PolicyUsageFilter string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListUserPoliciesRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListUsersRequest: {
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    PutUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string'
    },
    Tag: {
      Key: 'Key string',
      Value: 'Value string'
    },
    UpdateAccessKeyRequest: {
      AccessKeyId: 'AccessKeyId string',
      Status: 'Status string',
      UserName: 'UserName string'
    }
  },
  outputs: {
    AccessKey: {
      UserName: 'UserName string',
      AccessKeyId: 'AccessKeyId string',
      Status: 'Status string',
      SecretAccessKey: 'SecretAccessKey string',
      CreateDate: 'CreateDate timestamp'
    },
    AccessKeyLastUsed: {
      ServiceName: 'ServiceName string',
      Region: 'Region string',
      LastUsedDate: 'LastUsedDate timestamp'
    },
    AccessKeyMetadata: {
      UserName: 'UserName string',
      AccessKeyId: 'AccessKeyId string',
      Status: 'Status string',
      CreateDate: 'CreateDate timestamp'
    },
    AttachedPermissionsBoundary: {
      PermissionsBoundaryType: 'PermissionsBoundaryType string',
      PermissionsBoundaryArn: 'PermissionsBoundaryArn string'
    },
    AttachedPolicy: {
      PolicyName: 'PolicyName string',
      PolicyArn: 'PolicyArn string'
    },
    CreateAccessKeyResponse: {
      AccessKey: 'AccessKey AccessKey'
    },
    CreateUserResponse: {
      User: 'User User'
    },
    GetAccessKeyLastUsedResponse: {
      UserName: 'UserName string',
      AccessKeyLastUsed: 'AccessKeyLastUsed AccessKeyLastUsed'
    },
    GetPolicyResponse: {
      Policy: 'Policy Policy'
    },
    GetPolicyVersionResponse: {
      PolicyVersion: 'PolicyVersion PolicyVersion'
    },
    GetUserPolicyResponse: {
      UserName: 'UserName string',
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string'
    },
    GetUserResponse: {
      User: 'User User'
    },
    Group: {
      Path: 'Path string',
      GroupName: 'GroupName string',
      GroupId: 'GroupId string',
      Arn: 'Arn string',
      CreateDate: 'CreateDate timestamp'
    },
    ListAccessKeysResponse: {
      AccessKeyMetadata: 'AccessKeyMetadata AccessKeyMetadata[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListAccountAliasesResponse: {
      AccountAliases: 'AccountAliases string[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListAttachedUserPoliciesResponse: {
      AttachedPolicies: 'AttachedPolicies AttachedPolicy[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListGroupsForUserResponse: {
      Groups: 'Groups Group[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListPoliciesResponse: {
      Policies: 'Policies Policy[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListUserPoliciesResponse: {
      PolicyNames: 'PolicyNames string[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListUsersResponse: {
      Users: 'Users User[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    Policy: {
      PolicyName: 'PolicyName string',
      PolicyId: 'PolicyId string',
      Arn: 'Arn string',
      Path: 'Path string',
      DefaultVersionId: 'DefaultVersionId string',
      AttachmentCount: 'AttachmentCount number',
      PermissionsBoundaryUsageCount: 'PermissionsBoundaryUsageCount number',
      IsAttachable: 'IsAttachable boolean',
      Description: 'Description string',
      CreateDate: 'CreateDate timestamp',
      UpdateDate: 'UpdateDate timestamp',
      Tags: 'Tags Tag[member]'
    },
    PolicyVersion: {
      Document: 'Document string',
      VersionId: 'VersionId string',
      IsDefaultVersion: 'IsDefaultVersion boolean',
      CreateDate: 'CreateDate timestamp'
    },
    Tag: {
      Key: 'Key string',
      Value: 'Value string'
    },
    User: {
      Path: 'Path string',
      UserName: 'UserName string',
      UserId: 'UserId string',
      Arn: 'Arn string',
      CreateDate: 'CreateDate timestamp',
      PasswordLastUsed: 'PasswordLastUsed timestamp',
      PermissionsBoundary: 'PermissionsBoundary AttachedPermissionsBoundary',
      Tags: 'Tags Tag[member]'
    }
  }
}
