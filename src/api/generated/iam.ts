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
    AddRoleToInstanceProfile: ['AddRoleToInstanceProfileRequest', 'unit'],
    AddUserToGroup: ['AddUserToGroupRequest', 'unit'],
    AttachGroupPolicy: ['AttachGroupPolicyRequest', 'unit'],
    AttachRolePolicy: ['AttachRolePolicyRequest', 'unit'],
    AttachUserPolicy: ['AttachUserPolicyRequest', 'unit'],
    CreateAccessKey: ['CreateAccessKeyRequest', 'CreateAccessKeyResponse'],
    CreateGroup: ['CreateGroupRequest', 'CreateGroupResponse'],
    CreateInstanceProfile: ['CreateInstanceProfileRequest', 'CreateInstanceProfileResponse'],
    CreatePolicy: ['CreatePolicyRequest', 'CreatePolicyResponse'],
    CreatePolicyVersion: ['CreatePolicyVersionRequest', 'CreatePolicyVersionResponse'],
    CreateRole: ['CreateRoleRequest', 'CreateRoleResponse'],
    CreateUser: ['CreateUserRequest', 'CreateUserResponse'],
    DeleteAccessKey: ['DeleteAccessKeyRequest', 'unit'],
    DeleteGroup: ['DeleteGroupRequest', 'unit'],
    DeleteGroupPolicy: ['DeleteGroupPolicyRequest', 'unit'],
    DeleteInstanceProfile: ['DeleteInstanceProfileRequest', 'unit'],
    DeleteLoginProfile: ['DeleteLoginProfileRequest', 'unit'],
    DeletePolicy: ['DeletePolicyRequest', 'unit'],
    DeletePolicyVersion: ['DeletePolicyVersionRequest', 'unit'],
    DeleteRole: ['DeleteRoleRequest', 'unit'],
    DeleteRolePolicy: ['DeleteRolePolicyRequest', 'unit'],
    DeleteUser: ['DeleteUserRequest', 'unit'],
    DeleteUserPolicy: ['DeleteUserPolicyRequest', 'unit'],
    DetachGroupPolicy: ['DetachGroupPolicyRequest', 'unit'],
    DetachRolePolicy: ['DetachRolePolicyRequest', 'unit'],
    DetachUserPolicy: ['DetachUserPolicyRequest', 'unit'],
    GetAccessKeyLastUsed: ['GetAccessKeyLastUsedRequest', 'GetAccessKeyLastUsedResponse'],
    GetAccountAuthorizationDetails: ['GetAccountAuthorizationDetailsRequest', 'GetAccountAuthorizationDetailsResponse'],
    GetAccountSummary: ['unit', 'GetAccountSummaryResponse'],
    GetGroup: ['GetGroupRequest', 'GetGroupResponse'],
    GetGroupPolicy: ['GetGroupPolicyRequest', 'GetGroupPolicyResponse'],
    GetInstanceProfile: ['GetInstanceProfileRequest', 'GetInstanceProfileResponse'],
    GetLoginProfile: ['GetLoginProfileRequest', 'GetLoginProfileResponse'],
    GetPolicy: ['GetPolicyRequest', 'GetPolicyResponse'],
    GetPolicyVersion: ['GetPolicyVersionRequest', 'GetPolicyVersionResponse'],
    GetRole: ['GetRoleRequest', 'GetRoleResponse'],
    GetRolePolicy: ['GetRolePolicyRequest', 'GetRolePolicyResponse'],
    GetUser: ['GetUserRequest', 'GetUserResponse'],
    GetUserPolicy: ['GetUserPolicyRequest', 'GetUserPolicyResponse'],
    ListAccessKeys: ['ListAccessKeysRequest', 'ListAccessKeysResponse'],
    ListAccountAliases: ['ListAccountAliasesRequest', 'ListAccountAliasesResponse'],
    ListAttachedGroupPolicies: ['ListAttachedGroupPoliciesRequest', 'ListAttachedGroupPoliciesResponse'],
    ListAttachedRolePolicies: ['ListAttachedRolePoliciesRequest', 'ListAttachedRolePoliciesResponse'],
    ListAttachedUserPolicies: ['ListAttachedUserPoliciesRequest', 'ListAttachedUserPoliciesResponse'],
    ListEntitiesForPolicy: ['ListEntitiesForPolicyRequest', 'ListEntitiesForPolicyResponse'],
    ListGroupPolicies: ['ListGroupPoliciesRequest', 'ListGroupPoliciesResponse'],
    ListGroups: ['ListGroupsRequest', 'ListGroupsResponse'],
    ListGroupsForUser: ['ListGroupsForUserRequest', 'ListGroupsForUserResponse'],
    ListInstanceProfileTags: ['ListInstanceProfileTagsRequest', 'ListInstanceProfileTagsResponse'],
    ListInstanceProfiles: ['ListInstanceProfilesRequest', 'ListInstanceProfilesResponse'],
    ListInstanceProfilesForRole: ['ListInstanceProfilesForRoleRequest', 'ListInstanceProfilesForRoleResponse'],
    ListMFADevices: ['ListMFADevicesRequest', 'ListMFADevicesResponse'],
    ListOpenIDConnectProviders: ['ListOpenIDConnectProvidersRequest', 'ListOpenIDConnectProvidersResponse'],
    ListPolicies: ['ListPoliciesRequest', 'ListPoliciesResponse'],
    ListPoliciesGrantingServiceAccess: ['ListPoliciesGrantingServiceAccessRequest', 'ListPoliciesGrantingServiceAccessResponse'],
    ListPolicyTags: ['ListPolicyTagsRequest', 'ListPolicyTagsResponse'],
    ListPolicyVersions: ['ListPolicyVersionsRequest', 'ListPolicyVersionsResponse'],
    ListRolePolicies: ['ListRolePoliciesRequest', 'ListRolePoliciesResponse'],
    ListRoleTags: ['ListRoleTagsRequest', 'ListRoleTagsResponse'],
    ListRoles: ['ListRolesRequest', 'ListRolesResponse'],
    ListSAMLProviders: ['ListSAMLProvidersRequest', 'ListSAMLProvidersResponse'],
    ListSSHPublicKeys: ['ListSSHPublicKeysRequest', 'ListSSHPublicKeysResponse'],
    ListServerCertificates: ['ListServerCertificatesRequest', 'ListServerCertificatesResponse'],
    ListServiceSpecificCredentials: ['ListServiceSpecificCredentialsRequest', 'ListServiceSpecificCredentialsResponse'],
    ListSigningCertificates: ['ListSigningCertificatesRequest', 'ListSigningCertificatesResponse'],
    ListUserPolicies: ['ListUserPoliciesRequest', 'ListUserPoliciesResponse'],
    ListUserTags: ['ListUserTagsRequest', 'ListUserTagsResponse'],
    ListUsers: ['ListUsersRequest', 'ListUsersResponse'],
    ListVirtualMFADevices: ['ListVirtualMFADevicesRequest', 'ListVirtualMFADevicesResponse'],
    PutGroupPolicy: ['PutGroupPolicyRequest', 'unit'],
    PutRolePolicy: ['PutRolePolicyRequest', 'unit'],
    PutUserPolicy: ['PutUserPolicyRequest', 'unit'],
    RemoveRoleFromInstanceProfile: ['RemoveRoleFromInstanceProfileRequest', 'unit'],
    RemoveUserFromGroup: ['RemoveUserFromGroupRequest', 'unit'],
    SetDefaultPolicyVersion: ['SetDefaultPolicyVersionRequest', 'unit'],
    SimulateCustomPolicy: ['SimulateCustomPolicyRequest', 'SimulatePolicyResponse'],
    SimulatePrincipalPolicy: ['SimulatePrincipalPolicyRequest', 'SimulatePolicyResponse'],
    TagInstanceProfile: ['TagInstanceProfileRequest', 'unit'],
    TagPolicy: ['TagPolicyRequest', 'unit'],
    TagRole: ['TagRoleRequest', 'unit'],
    TagUser: ['TagUserRequest', 'unit'],
    UntagInstanceProfile: ['UntagInstanceProfileRequest', 'unit'],
    UntagPolicy: ['UntagPolicyRequest', 'unit'],
    UntagRole: ['UntagRoleRequest', 'unit'],
    UntagUser: ['UntagUserRequest', 'unit'],
    UpdateAccessKey: ['UpdateAccessKeyRequest', 'unit'],
    UpdateAssumeRolePolicy: ['UpdateAssumeRolePolicyRequest', 'unit'],
    UpdateGroup: ['UpdateGroupRequest', 'unit'],
    UpdateRole: ['UpdateRoleRequest', 'UpdateRoleResponse'],
    UpdateRoleDescription: ['UpdateRoleDescriptionRequest', 'UpdateRoleDescriptionResponse'],
    UpdateUser: ['UpdateUserRequest', 'unit']
  },
  inputs: {
    AddRoleToInstanceProfileRequest: {
      InstanceProfileName: 'InstanceProfileName string',
      RoleName: 'RoleName string'
    },
    AddUserToGroupRequest: {
      GroupName: 'GroupName string',
      UserName: 'UserName string'
    },
    AttachGroupPolicyRequest: {
      GroupName: 'GroupName string',
      PolicyArn: 'PolicyArn string'
    },
    AttachRolePolicyRequest: {
      RoleName: 'RoleName string',
      PolicyArn: 'PolicyArn string'
    },
    AttachUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyArn: 'PolicyArn string'
    },
    ContextEntry: {
      ContextKeyName: 'ContextKeyName string',
      ContextKeyValues: 'ContextKeyValues string[]',
      ContextKeyType: 'ContextKeyType string'
    },
    CreateAccessKeyRequest: {
      UserName: 'UserName string'
    },
    CreateGroupRequest: {
      GroupName: 'GroupName string',
      Path: 'Path string'
    },
    CreateInstanceProfileRequest: {
      InstanceProfileName: 'InstanceProfileName string',
      Path: 'Path string',
      Tags: 'Tags Tag[]'
    },
    CreatePolicyRequest: {
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string',
      Path: 'Path string',
      Description: 'Description string',
      Tags: 'Tags Tag[]'
    },
    CreatePolicyVersionRequest: {
      PolicyArn: 'PolicyArn string',
      PolicyDocument: 'PolicyDocument string',
      SetAsDefault: 'SetAsDefault boolean'
    },
    CreateRoleRequest: {
      RoleName: 'RoleName string',
      AssumeRolePolicyDocument: 'AssumeRolePolicyDocument string',
      Path: 'Path string',
      Description: 'Description string',
      MaxSessionDuration: 'MaxSessionDuration number',
      PermissionsBoundary: 'PermissionsBoundary string',
      Tags: 'Tags Tag[]'
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
    DeleteGroupPolicyRequest: {
      GroupName: 'GroupName string',
      PolicyName: 'PolicyName string'
    },
    DeleteGroupRequest: {
      GroupName: 'GroupName string'
    },
    DeleteInstanceProfileRequest: {
      InstanceProfileName: 'InstanceProfileName string'
    },
    DeleteLoginProfileRequest: {
      UserName: 'UserName string'
    },
    DeletePolicyRequest: {
      PolicyArn: 'PolicyArn string'
    },
    DeletePolicyVersionRequest: {
      PolicyArn: 'PolicyArn string',
      VersionId: 'VersionId string'
    },
    DeleteRolePolicyRequest: {
      RoleName: 'RoleName string',
      PolicyName: 'PolicyName string'
    },
    DeleteRoleRequest: {
      RoleName: 'RoleName string'
    },
    DeleteUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyName: 'PolicyName string'
    },
    DeleteUserRequest: {
      UserName: 'UserName string'
    },
    DetachGroupPolicyRequest: {
      GroupName: 'GroupName string',
      PolicyArn: 'PolicyArn string'
    },
    DetachRolePolicyRequest: {
      RoleName: 'RoleName string',
      PolicyArn: 'PolicyArn string'
    },
    DetachUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyArn: 'PolicyArn string'
    },
    GetAccessKeyLastUsedRequest: {
      AccessKeyId: 'AccessKeyId string'
    },
    GetAccountAuthorizationDetailsRequest: {
      Filter: 'Filter string[]',
      MaxItems: 'MaxItems number',
      Marker: 'Marker string'
    },
    GetGroupPolicyRequest: {
      GroupName: 'GroupName string',
      PolicyName: 'PolicyName string'
    },
    GetGroupRequest: {
      GroupName: 'GroupName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    GetInstanceProfileRequest: {
      InstanceProfileName: 'InstanceProfileName string'
    },
    GetLoginProfileRequest: {
      UserName: 'UserName string'
    },
    GetPolicyRequest: {
      PolicyArn: 'PolicyArn string'
    },
    GetPolicyVersionRequest: {
      PolicyArn: 'PolicyArn string',
      VersionId: 'VersionId string'
    },
    GetRolePolicyRequest: {
      RoleName: 'RoleName string',
      PolicyName: 'PolicyName string'
    },
    GetRoleRequest: {
      RoleName: 'RoleName string'
    },
    GetUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyName: 'PolicyName string'
    },
    GetUserRequest: {
      UserName: 'UserName string'
    },
    InlinePolicyIdentifierType: {
      PolicyName: 'PolicyName string',
      AttachmentType: 'AttachmentType string',
      AttachmentName: 'AttachmentName string'
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
    ListAttachedGroupPoliciesRequest: {
      GroupName: 'GroupName string',
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListAttachedRolePoliciesRequest: {
      RoleName: 'RoleName string',
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListAttachedUserPoliciesRequest: {
      UserName: 'UserName string',
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListEntitiesForPolicyRequest: {
      PolicyArn: 'PolicyArn string',
      EntityFilter: 'EntityFilter string',
      PathPrefix: 'PathPrefix string',
      PolicyUsageFilter: 'PolicyUsageFilter string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListGroupPoliciesRequest: {
      GroupName: 'GroupName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListGroupsForUserRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListGroupsRequest: {
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListInstanceProfileTagsRequest: {
      InstanceProfileName: 'InstanceProfileName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListInstanceProfilesForRoleRequest: {
      RoleName: 'RoleName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListInstanceProfilesRequest: {
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListMFADevicesRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListOpenIDConnectProvidersRequest: {},
    ListPoliciesGrantingServiceAccessRequest: {
      Arn: 'Arn string',
      ServiceNamespaces: 'ServiceNamespaces string[]',
      Marker: 'Marker string'
    },
    ListPoliciesRequest: {
      Scope: 'Scope string',
      OnlyAttached: 'OnlyAttached boolean',
      PathPrefix: 'PathPrefix string',
      PolicyUsageFilter: 'PolicyUsageFilter string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListPolicyTagsRequest: {
      PolicyArn: 'PolicyArn string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListPolicyVersionsRequest: {
      PolicyArn: 'PolicyArn string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListRolePoliciesRequest: {
      RoleName: 'RoleName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListRoleTagsRequest: {
      RoleName: 'RoleName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListRolesRequest: {
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListSAMLProvidersRequest: {},
    ListSSHPublicKeysRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListServerCertificatesRequest: {
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListServiceSpecificCredentialsRequest: {
      UserName: 'UserName string',
      ServiceName: 'ServiceName string',
      AllUsers: 'AllUsers boolean',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListSigningCertificatesRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListUserPoliciesRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListUserTagsRequest: {
      UserName: 'UserName string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListUsersRequest: {
      PathPrefix: 'PathPrefix string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    ListVirtualMFADevicesRequest: {
      AssignmentStatus: 'AssignmentStatus string',
      Marker: 'Marker string',
      MaxItems: 'MaxItems number'
    },
    OrderedOrganizationPolicyType: {
      ServiceControlPolicyInputList: 'ServiceControlPolicyInputList string[]'
    },
    PolicyIdentifier: {
      PolicyType: 'PolicyType string',
      PolicyArn: 'PolicyArn string',
      InlinePolicyIdentifier: 'InlinePolicyIdentifier InlinePolicyIdentifierType'
    },
    PutGroupPolicyRequest: {
      GroupName: 'GroupName string',
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string'
    },
    PutRolePolicyRequest: {
      RoleName: 'RoleName string',
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string'
    },
    PutUserPolicyRequest: {
      UserName: 'UserName string',
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string'
    },
    RemoveRoleFromInstanceProfileRequest: {
      InstanceProfileName: 'InstanceProfileName string',
      RoleName: 'RoleName string'
    },
    RemoveUserFromGroupRequest: {
      GroupName: 'GroupName string',
      UserName: 'UserName string'
    },
    SetDefaultPolicyVersionRequest: {
      PolicyArn: 'PolicyArn string',
      VersionId: 'VersionId string'
    },
    SimulateCustomPolicyRequest: {
      PolicyInputList: 'PolicyInputList string[]',
      ActionNames: 'ActionNames string[]',
      PermissionsBoundaryPolicyInputList: 'PermissionsBoundaryPolicyInputList string[]',
      OrderedOrganizationPolicyInputList: 'OrderedOrganizationPolicyInputList OrderedOrganizationPolicyType[]',
      ResourceArns: 'ResourceArns string[]',
      ResourcePolicy: 'ResourcePolicy string',
      ResourceOwner: 'ResourceOwner string',
      CallerArn: 'CallerArn string',
      ContextEntries: 'ContextEntries ContextEntry[]',
      ResourceHandlingOption: 'ResourceHandlingOption string',
      MaxItems: 'MaxItems number',
      Marker: 'Marker string'
    },
    SimulatePrincipalPolicyRequest: {
      PolicySourceArn: 'PolicySourceArn string',
      ActionNames: 'ActionNames string[]',
      PolicyInputList: 'PolicyInputList string[]',
      PermissionsBoundaryPolicyInputList: 'PermissionsBoundaryPolicyInputList string[]',
      PolicyExclusionList: 'PolicyExclusionList PolicyIdentifier[]',
      ResourceArns: 'ResourceArns string[]',
      ResourcePolicy: 'ResourcePolicy string',
      ResourceOwner: 'ResourceOwner string',
      CallerArn: 'CallerArn string',
      ContextEntries: 'ContextEntries ContextEntry[]',
      ResourceHandlingOption: 'ResourceHandlingOption string',
      MaxItems: 'MaxItems number',
      Marker: 'Marker string'
    },
    Tag: {
      Key: 'Key string',
      Value: 'Value string'
    },
    TagInstanceProfileRequest: {
      InstanceProfileName: 'InstanceProfileName string',
      Tags: 'Tags Tag[]'
    },
    TagPolicyRequest: {
      PolicyArn: 'PolicyArn string',
      Tags: 'Tags Tag[]'
    },
    TagRoleRequest: {
      RoleName: 'RoleName string',
      Tags: 'Tags Tag[]'
    },
    TagUserRequest: {
      UserName: 'UserName string',
      Tags: 'Tags Tag[]'
    },
    UntagInstanceProfileRequest: {
      InstanceProfileName: 'InstanceProfileName string',
      TagKeys: 'TagKeys string[]'
    },
    UntagPolicyRequest: {
      PolicyArn: 'PolicyArn string',
      TagKeys: 'TagKeys string[]'
    },
    UntagRoleRequest: {
      RoleName: 'RoleName string',
      TagKeys: 'TagKeys string[]'
    },
    UntagUserRequest: {
      UserName: 'UserName string',
      TagKeys: 'TagKeys string[]'
    },
    UpdateAccessKeyRequest: {
      AccessKeyId: 'AccessKeyId string',
      Status: 'Status string',
      UserName: 'UserName string'
    },
    UpdateAssumeRolePolicyRequest: {
      RoleName: 'RoleName string',
      PolicyDocument: 'PolicyDocument string'
    },
    UpdateGroupRequest: {
      GroupName: 'GroupName string',
      NewPath: 'NewPath string',
      NewGroupName: 'NewGroupName string'
    },
    UpdateRoleDescriptionRequest: {
      RoleName: 'RoleName string',
      Description: 'Description string'
    },
    UpdateRoleRequest: {
      RoleName: 'RoleName string',
      Description: 'Description string',
      MaxSessionDuration: 'MaxSessionDuration number'
    },
    UpdateUserRequest: {
      UserName: 'UserName string',
      NewPath: 'NewPath string',
      NewUserName: 'NewUserName string'
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
    CreateGroupResponse: {
      Group: 'Group Group'
    },
    CreateInstanceProfileResponse: {
      InstanceProfile: 'InstanceProfile InstanceProfile'
    },
    CreatePolicyResponse: {
      Policy: 'Policy Policy'
    },
    CreatePolicyVersionResponse: {
      PolicyVersion: 'PolicyVersion PolicyVersion'
    },
    CreateRoleResponse: {
      Role: 'Role Role'
    },
    CreateUserResponse: {
      User: 'User User'
    },
    EvaluationResult: {
      EvalActionName: 'EvalActionName string',
      EvalDecision: 'EvalDecision string',
      EvalResourceName: 'EvalResourceName string',
      MatchedStatements: 'MatchedStatements Statement[member]',
      MissingContextValues: 'MissingContextValues string[member]',
      OrganizationsDecisionDetail: 'OrganizationsDecisionDetail OrganizationsDecisionDetail',
      PermissionsBoundaryDecisionDetail: 'PermissionsBoundaryDecisionDetail PermissionsBoundaryDecisionDetail',
      EvalDecisionDetails: 'EvalDecisionDetails string{}',
      ResourceSpecificResults: 'ResourceSpecificResults ResourceSpecificResult[member]'
    },
    GetAccessKeyLastUsedResponse: {
      UserName: 'UserName string',
      AccessKeyLastUsed: 'AccessKeyLastUsed AccessKeyLastUsed'
    },
    GetAccountAuthorizationDetailsResponse: {
      UserDetailList: 'UserDetailList UserDetail[member]',
      GroupDetailList: 'GroupDetailList GroupDetail[member]',
      RoleDetailList: 'RoleDetailList RoleDetail[member]',
      Policies: 'Policies ManagedPolicyDetail[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    GetAccountSummaryResponse: {
      SummaryMap: 'SummaryMap number{}'
    },
    GetGroupPolicyResponse: {
      GroupName: 'GroupName string',
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string'
    },
    GetGroupResponse: {
      Group: 'Group Group',
      Users: 'Users User[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    GetInstanceProfileResponse: {
      InstanceProfile: 'InstanceProfile InstanceProfile'
    },
    GetLoginProfileResponse: {
      LoginProfile: 'LoginProfile LoginProfile'
    },
    GetPolicyResponse: {
      Policy: 'Policy Policy'
    },
    GetPolicyVersionResponse: {
      PolicyVersion: 'PolicyVersion PolicyVersion'
    },
    GetRolePolicyResponse: {
      RoleName: 'RoleName string',
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string'
    },
    GetRoleResponse: {
      Role: 'Role Role'
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
    GroupDetail: {
      Path: 'Path string',
      GroupName: 'GroupName string',
      GroupId: 'GroupId string',
      Arn: 'Arn string',
      CreateDate: 'CreateDate timestamp',
      GroupPolicyList: 'GroupPolicyList PolicyDetail[member]',
      AttachedManagedPolicies: 'AttachedManagedPolicies AttachedPolicy[member]'
    },
    InstanceProfile: {
      Path: 'Path string',
      InstanceProfileName: 'InstanceProfileName string',
      InstanceProfileId: 'InstanceProfileId string',
      Arn: 'Arn string',
      CreateDate: 'CreateDate timestamp',
      Roles: 'Roles Role[member]',
      Tags: 'Tags Tag[member]'
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
    ListAttachedGroupPoliciesResponse: {
      AttachedPolicies: 'AttachedPolicies AttachedPolicy[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListAttachedRolePoliciesResponse: {
      AttachedPolicies: 'AttachedPolicies AttachedPolicy[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListAttachedUserPoliciesResponse: {
      AttachedPolicies: 'AttachedPolicies AttachedPolicy[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListEntitiesForPolicyResponse: {
      PolicyGroups: 'PolicyGroups PolicyGroup[member]',
      PolicyUsers: 'PolicyUsers PolicyUser[member]',
      PolicyRoles: 'PolicyRoles PolicyRole[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListGroupPoliciesResponse: {
      PolicyNames: 'PolicyNames string[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListGroupsForUserResponse: {
      Groups: 'Groups Group[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListGroupsResponse: {
      Groups: 'Groups Group[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListInstanceProfileTagsResponse: {
      Tags: 'Tags Tag[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListInstanceProfilesForRoleResponse: {
      InstanceProfiles: 'InstanceProfiles InstanceProfile[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListInstanceProfilesResponse: {
      InstanceProfiles: 'InstanceProfiles InstanceProfile[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListMFADevicesResponse: {
      MFADevices: 'MFADevices MFADevice[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListOpenIDConnectProvidersResponse: {
      OpenIDConnectProviderList: 'OpenIDConnectProviderList OpenIDConnectProviderListEntry[member]'
    },
    ListPoliciesGrantingServiceAccessEntry: {
      ServiceNamespace: 'ServiceNamespace string',
      Policies: 'Policies PolicyGrantingServiceAccess[member]'
    },
    ListPoliciesGrantingServiceAccessResponse: {
      PoliciesGrantingServiceAccess: 'PoliciesGrantingServiceAccess ListPoliciesGrantingServiceAccessEntry[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListPoliciesResponse: {
      Policies: 'Policies Policy[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListPolicyTagsResponse: {
      Tags: 'Tags Tag[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListPolicyVersionsResponse: {
      Versions: 'Versions PolicyVersion[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListRolePoliciesResponse: {
      PolicyNames: 'PolicyNames string[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListRoleTagsResponse: {
      Tags: 'Tags Tag[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListRolesResponse: {
      Roles: 'Roles Role[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListSAMLProvidersResponse: {
      SAMLProviderList: 'SAMLProviderList SAMLProviderListEntry[member]'
    },
    ListSSHPublicKeysResponse: {
      SSHPublicKeys: 'SSHPublicKeys SSHPublicKeyMetadata[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListServerCertificatesResponse: {
      ServerCertificateMetadataList: 'ServerCertificateMetadataList ServerCertificateMetadata[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListServiceSpecificCredentialsResponse: {
      ServiceSpecificCredentials: 'ServiceSpecificCredentials ServiceSpecificCredentialMetadata[member]',
      Marker: 'Marker string',
      IsTruncated: 'IsTruncated boolean'
    },
    ListSigningCertificatesResponse: {
      Certificates: 'Certificates SigningCertificate[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListUserPoliciesResponse: {
      PolicyNames: 'PolicyNames string[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListUserTagsResponse: {
      Tags: 'Tags Tag[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListUsersResponse: {
      Users: 'Users User[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    ListVirtualMFADevicesResponse: {
      VirtualMFADevices: 'VirtualMFADevices VirtualMFADevice[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    LoginProfile: {
      UserName: 'UserName string',
      CreateDate: 'CreateDate timestamp',
      PasswordResetRequired: 'PasswordResetRequired boolean'
    },
    MFADevice: {
      UserName: 'UserName string',
      SerialNumber: 'SerialNumber string',
      EnableDate: 'EnableDate timestamp'
    },
    ManagedPolicyDetail: {
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
      PolicyVersionList: 'PolicyVersionList PolicyVersion[member]'
    },
    OpenIDConnectProviderListEntry: {
      Arn: 'Arn string'
    },
    OrganizationsDecisionDetail: {
      AllowedByOrganizations: 'AllowedByOrganizations boolean'
    },
    PermissionsBoundaryDecisionDetail: {
      AllowedByPermissionsBoundary: 'AllowedByPermissionsBoundary boolean'
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
    PolicyDetail: {
      PolicyName: 'PolicyName string',
      PolicyDocument: 'PolicyDocument string'
    },
    PolicyGrantingServiceAccess: {
      PolicyName: 'PolicyName string',
      PolicyType: 'PolicyType string',
      PolicyArn: 'PolicyArn string',
      EntityType: 'EntityType string',
      EntityName: 'EntityName string'
    },
    PolicyGroup: {
      GroupName: 'GroupName string',
      GroupId: 'GroupId string'
    },
    PolicyRole: {
      RoleName: 'RoleName string',
      RoleId: 'RoleId string'
    },
    PolicyUser: {
      UserName: 'UserName string',
      UserId: 'UserId string'
    },
    PolicyVersion: {
      Document: 'Document string',
      VersionId: 'VersionId string',
      IsDefaultVersion: 'IsDefaultVersion boolean',
      CreateDate: 'CreateDate timestamp'
    },
    Position: {
      Line: 'Line number',
      Column: 'Column number'
    },
    ResourceSpecificResult: {
      EvalResourceName: 'EvalResourceName string',
      EvalResourceDecision: 'EvalResourceDecision string',
      MatchedStatements: 'MatchedStatements Statement[member]',
      MissingContextValues: 'MissingContextValues string[member]',
      EvalDecisionDetails: 'EvalDecisionDetails string{}',
      PermissionsBoundaryDecisionDetail: 'PermissionsBoundaryDecisionDetail PermissionsBoundaryDecisionDetail'
    },
    Role: {
      Path: 'Path string',
      RoleName: 'RoleName string',
      RoleId: 'RoleId string',
      Arn: 'Arn string',
      CreateDate: 'CreateDate timestamp',
      AssumeRolePolicyDocument: 'AssumeRolePolicyDocument string',
      Description: 'Description string',
      MaxSessionDuration: 'MaxSessionDuration number',
      PermissionsBoundary: 'PermissionsBoundary AttachedPermissionsBoundary',
      Tags: 'Tags Tag[member]',
      RoleLastUsed: 'RoleLastUsed RoleLastUsed',
      SourceRoleTemplate: 'SourceRoleTemplate SourceRoleTemplate'
    },
    RoleDetail: {
      Path: 'Path string',
      RoleName: 'RoleName string',
      RoleId: 'RoleId string',
      Arn: 'Arn string',
      CreateDate: 'CreateDate timestamp',
      AssumeRolePolicyDocument: 'AssumeRolePolicyDocument string',
      InstanceProfileList: 'InstanceProfileList InstanceProfile[member]',
      RolePolicyList: 'RolePolicyList PolicyDetail[member]',
      AttachedManagedPolicies: 'AttachedManagedPolicies AttachedPolicy[member]',
      PermissionsBoundary: 'PermissionsBoundary AttachedPermissionsBoundary',
      Tags: 'Tags Tag[member]',
      RoleLastUsed: 'RoleLastUsed RoleLastUsed'
    },
    RoleLastUsed: {
      LastUsedDate: 'LastUsedDate timestamp',
      Region: 'Region string'
    },
    SAMLProviderListEntry: {
      Arn: 'Arn string',
      ValidUntil: 'ValidUntil timestamp',
      CreateDate: 'CreateDate timestamp'
    },
    SSHPublicKeyMetadata: {
      UserName: 'UserName string',
      SSHPublicKeyId: 'SSHPublicKeyId string',
      Status: 'Status string',
      UploadDate: 'UploadDate timestamp'
    },
    ServerCertificateMetadata: {
      Path: 'Path string',
      ServerCertificateName: 'ServerCertificateName string',
      ServerCertificateId: 'ServerCertificateId string',
      Arn: 'Arn string',
      UploadDate: 'UploadDate timestamp',
      Expiration: 'Expiration timestamp'
    },
    ServiceSpecificCredentialMetadata: {
      UserName: 'UserName string',
      Status: 'Status string',
      CreateDate: 'CreateDate timestamp',
      ServiceSpecificCredentialId: 'ServiceSpecificCredentialId string',
      ServiceName: 'ServiceName string',
      ServiceUserName: 'ServiceUserName string',
      ServiceCredentialAlias: 'ServiceCredentialAlias string',
      ExpirationDate: 'ExpirationDate timestamp'
    },
    SigningCertificate: {
      UserName: 'UserName string',
      CertificateId: 'CertificateId string',
      CertificateBody: 'CertificateBody string',
      Status: 'Status string',
      UploadDate: 'UploadDate timestamp'
    },
    SimulatePolicyResponse: {
      EvaluationResults: 'EvaluationResults EvaluationResult[member]',
      IsTruncated: 'IsTruncated boolean',
      Marker: 'Marker string'
    },
    SourceRoleTemplate: {
      TemplateArn: 'TemplateArn string',
      TemplateMinorVersion: 'TemplateMinorVersion number'
    },
    Statement: {
      SourcePolicyId: 'SourcePolicyId string',
      SourcePolicyType: 'SourcePolicyType string',
      StartPosition: 'StartPosition Position',
      EndPosition: 'EndPosition Position'
    },
    Tag: {
      Key: 'Key string',
      Value: 'Value string'
    },
    UpdateRoleDescriptionResponse: {
      Role: 'Role Role'
    },
    UpdateRoleResponse: {},
    User: {
      Path: 'Path string',
      UserName: 'UserName string',
      UserId: 'UserId string',
      Arn: 'Arn string',
      CreateDate: 'CreateDate timestamp',
      PasswordLastUsed: 'PasswordLastUsed timestamp',
      PermissionsBoundary: 'PermissionsBoundary AttachedPermissionsBoundary',
      Tags: 'Tags Tag[member]'
    },
    UserDetail: {
      Path: 'Path string',
      UserName: 'UserName string',
      UserId: 'UserId string',
      Arn: 'Arn string',
      CreateDate: 'CreateDate timestamp',
      UserPolicyList: 'UserPolicyList PolicyDetail[member]',
      GroupList: 'GroupList string[member]',
      AttachedManagedPolicies: 'AttachedManagedPolicies AttachedPolicy[member]',
      PermissionsBoundary: 'PermissionsBoundary AttachedPermissionsBoundary',
      Tags: 'Tags Tag[member]'
    },
    VirtualMFADevice: {
      SerialNumber: 'SerialNumber string',
      Base32StringSeed: 'Base32StringSeed blob',
      QRCodePNG: 'QRCodePNG blob',
      User: 'User User',
      EnableDate: 'EnableDate timestamp',
      Tags: 'Tags Tag[member]'
    }
  }
}
