/**
 * Every action of the API, one line for each file. `all.ts` makes the list from it, and nothing
 * else may import it.
 */
// biome-ignore-all lint/performance/noBarrelFile: it is a list

export { acceptVpcPeeringConnection } from './accept-vpc-peering-connection.ts'
export {
  describeIdFormat,
  describeSpotDatafeedSubscription,
  getAllowedImagesSettings,
  getEbsEncryptionByDefault,
  getImageBlockPublicAccessState,
  getSerialConsoleAccessStatus,
  getSnapshotBlockPublicAccessState,
} from './account-settings.ts'
export { allocateAddress } from './allocate-address.ts'
export { alwaysEmptyActions } from './always-empty.ts'
export { assignPrivateIpAddresses } from './assign-private-ip-addresses.ts'
export { associateAddress } from './associate-address.ts'
export { associateDhcpOptions } from './associate-dhcp-options.ts'
export {
  associateRouteTable,
  disassociateRouteTable,
  replaceRouteTableAssociation,
} from './associate-route-table.ts'
export { assumeRole } from './assume-role.ts'
export { attachInternetGateway, detachInternetGateway } from './attach-internet-gateway.ts'
export { attachNetworkInterface } from './attach-network-interface.ts'
export {
  authorizeSecurityGroupEgress,
  authorizeSecurityGroupIngress,
} from './authorize-security-group.ts'
export { copyImage } from './copy-image.ts'
export { createDefaultSubnet } from './create-default-subnet.ts'
export { createDefaultVpc } from './create-default-vpc.ts'
export { createDhcpOptions } from './create-dhcp-options.ts'
export { createFlowLogs } from './create-flow-logs.ts'
export { createImage } from './create-image.ts'
export { createInternetGateway } from './create-internet-gateway.ts'
export { createKeyPair } from './create-key-pair.ts'
export {
  createLaunchTemplate,
  createLaunchTemplateVersion,
} from './create-launch-template.ts'
export { createManagedPrefixList } from './create-managed-prefix-list.ts'
export { createNatGateway } from './create-nat-gateway.ts'
export { createNetworkAcl } from './create-network-acl.ts'
export {
  createNetworkAclEntry,
  deleteNetworkAclEntry,
  replaceNetworkAclEntry,
} from './create-network-acl-entry.ts'
export { createNetworkInterface } from './create-network-interface.ts'
export { createPlacementGroup } from './create-placement-group.ts'
export { createRoute, deleteRoute, replaceRoute } from './create-route.ts'
export { createRouteTable } from './create-route-table.ts'
export { createSecurityGroup } from './create-security-group.ts'
export { createSubnet } from './create-subnet.ts'
export { createTags } from './create-tags.ts'
export { createVpc } from './create-vpc.ts'
export { createVpcPeeringConnection } from './create-vpc-peering-connection.ts'
export { decodeAuthorizationMessage } from './decode-authorization-message.ts'
export { deleteDhcpOptions } from './delete-dhcp-options.ts'
export { deleteFlowLogs } from './delete-flow-logs.ts'
export { deleteInternetGateway } from './delete-internet-gateway.ts'
export { deleteKeyPair } from './delete-key-pair.ts'
export { deleteLaunchTemplate, deleteLaunchTemplateVersions } from './delete-launch-template.ts'
export { deleteManagedPrefixList } from './delete-managed-prefix-list.ts'
export { deleteNatGateway } from './delete-nat-gateway.ts'
export { deleteNetworkAcl } from './delete-network-acl.ts'
export { deleteNetworkInterface } from './delete-network-interface.ts'
export { deletePlacementGroup } from './delete-placement-group.ts'
export { deleteRouteTable } from './delete-route-table.ts'
export { deleteSecurityGroup } from './delete-security-group.ts'
export { deleteSubnet } from './delete-subnet.ts'
export { deleteTags } from './delete-tags.ts'
export { deleteVolume } from './delete-volume.ts'
export { deleteVpc } from './delete-vpc.ts'
export { deregisterImage } from './deregister-image.ts'
export { describeAccountAttributes } from './describe-account-attributes.ts'
export { describeAddresses } from './describe-addresses.ts'
export { describeAddressesAttribute } from './describe-addresses-attribute.ts'
export { describeAvailabilityZones } from './describe-availability-zones.ts'
export { describeDhcpOptions } from './describe-dhcp-options.ts'
export { describeFlowLogs } from './describe-flow-logs.ts'
export {
  describeSecurityGroupReferences,
  describeStaleSecurityGroups,
} from './describe-foreign-groups.ts'
export { describeImageAttribute } from './describe-image-attribute.ts'
export { describeImages } from './describe-images.ts'
export { describeInstanceAttribute } from './describe-instance-attribute.ts'
export { describeInstanceCreditSpecifications } from './describe-instance-credit-specifications.ts'
export { describeInstanceStatus } from './describe-instance-status.ts'
export { describeInstanceTypeOfferings } from './describe-instance-type-offerings.ts'
export { describeInstanceTypes } from './describe-instance-types.ts'
export { describeInstances } from './describe-instances.ts'
export { describeInternetGateways } from './describe-internet-gateways.ts'
export { describeKeyPairs } from './describe-key-pairs.ts'
export { describeLaunchTemplateVersions } from './describe-launch-template-versions.ts'
export { describeLaunchTemplates } from './describe-launch-templates.ts'
export { describeManagedPrefixLists } from './describe-managed-prefix-lists.ts'
export { describeNatGateways } from './describe-nat-gateways.ts'
export { describeNetworkAcls } from './describe-network-acls.ts'
export { describeNetworkInterfaceAttribute } from './describe-network-interface-attribute.ts'
export { describeNetworkInterfaces } from './describe-network-interfaces.ts'
export { describePlacementGroups } from './describe-placement-groups.ts'
export { describePublicIpv4Pools } from './describe-public-ipv4-pools.ts'
export { describeRegions } from './describe-regions.ts'
export { describeRouteTables } from './describe-route-tables.ts'
export { describeSecurityGroupRules } from './describe-security-group-rules.ts'
export { describeSecurityGroups } from './describe-security-groups.ts'
export { describeSubnets } from './describe-subnets.ts'
export { describeTags } from './describe-tags.ts'
export { describeVolumeAttribute } from './describe-volume-attribute.ts'
export { describeVolumeStatus } from './describe-volume-status.ts'
export { describeVolumes } from './describe-volumes.ts'
export { describeVpcAttribute } from './describe-vpc-attribute.ts'
export { describeVpcClassicLink } from './describe-vpc-classic-link.ts'
export { describeVpcClassicLinkDnsSupport } from './describe-vpc-classic-link-dns-support.ts'
export { describeVpcPeeringConnections } from './describe-vpc-peering-connections.ts'
export { describeVpcs } from './describe-vpcs.ts'
export { detachNetworkInterface } from './detach-network-interface.ts'
export { disassociateAddress } from './disassociate-address.ts'
export {
  deleteVpcPeeringConnection,
  rejectVpcPeeringConnection,
} from './end-vpc-peering-connection.ts'
export { getAccessKeyInfo } from './get-access-key-info.ts'
export { getAccountAuthorizationDetails } from './get-account-authorization-details.ts'
export { getAccountSummary } from './get-account-summary.ts'
export { getCallerIdentity } from './get-caller-identity.ts'
export { getConsoleOutput } from './get-console-output.ts'
export { getConsoleScreenshot } from './get-console-screenshot.ts'
export { getFederationToken } from './get-federation-token.ts'
export { getInstanceMetadataDefaults } from './get-instance-metadata-defaults.ts'
export { getLaunchTemplateData } from './get-launch-template-data.ts'
export {
  getManagedPrefixListAssociations,
  getManagedPrefixListEntries,
} from './get-managed-prefix-list.ts'
export { getPasswordData } from './get-password-data.ts'
export { getSecurityGroupsForVpc } from './get-security-groups-for-vpc.ts'
export { getSessionToken } from './get-session-token.ts'
export { getSubnetCidrReservations } from './get-subnet-cidr-reservations.ts'
export {
  createAccessKey,
  deleteAccessKey,
  getAccessKeyLastUsed,
  listAccessKeys,
  updateAccessKey,
} from './iam-access-keys.ts'
export {
  deleteLoginProfile,
  getLoginProfile,
  listMfaDevices,
  listOpenIdConnectProviders,
  listSamlProviders,
  listServerCertificates,
  listServiceSpecificCredentials,
  listSigningCertificates,
  listSshPublicKeys,
  listVirtualMfaDevices,
} from './iam-always-empty.ts'
export {
  attachGroupPolicy,
  attachRolePolicy,
  attachUserPolicy,
  deleteGroupPolicy,
  deleteRolePolicy,
  deleteUserPolicy,
  detachGroupPolicy,
  detachRolePolicy,
  detachUserPolicy,
  getGroupPolicy,
  getRolePolicy,
  getUserPolicy,
  listAttachedGroupPolicies,
  listAttachedRolePolicies,
  listAttachedUserPolicies,
  listGroupPolicies,
  listRolePolicies,
  listUserPolicies,
  putGroupPolicy,
  putRolePolicy,
  putUserPolicy,
} from './iam-attached-policies.ts'
export {
  addUserToGroup,
  createGroup,
  deleteGroup,
  getGroup,
  listGroups,
  listGroupsForUser,
  removeUserFromGroup,
  updateGroup,
} from './iam-groups.ts'
export {
  addRoleToInstanceProfile,
  createInstanceProfile,
  deleteInstanceProfile,
  getInstanceProfile,
  listInstanceProfiles,
  listInstanceProfilesForRole,
  listInstanceProfileTags,
  removeRoleFromInstanceProfile,
  tagInstanceProfile,
  untagInstanceProfile,
} from './iam-instance-profiles.ts'
export {
  createPolicy,
  createPolicyVersion,
  deletePolicy,
  deletePolicyVersion,
  listPolicyTags,
  setDefaultPolicyVersion,
  tagPolicy,
  untagPolicy,
} from './iam-own-policies.ts'
export {
  getPolicy,
  getPolicyVersion,
  listEntitiesForPolicy,
  listPolicies,
  listPolicyVersions,
} from './iam-policies.ts'
export {
  createRole,
  deleteRole,
  getRole,
  listRoles,
  listRoleTags,
  tagRole,
  untagRole,
  updateAssumeRolePolicy,
  updateRole,
  updateRoleDescription,
} from './iam-roles.ts'
export {
  createUser,
  deleteUser,
  getUser,
  listAccountAliases,
  listUsersAction,
  listUserTags,
  tagUser,
  untagUser,
  updateUser,
} from './iam-users.ts'
export { disableImageDeprecation, enableImageDeprecation } from './image-deprecation.ts'
export { importKeyPair } from './import-key-pair.ts'
export {
  associateIamInstanceProfile,
  describeIamInstanceProfileAssociations,
  disassociateIamInstanceProfile,
  replaceIamInstanceProfileAssociation,
} from './instance-profile-associations.ts'
export { lookupEvents } from './lookup-events.ts'
export { modifyAddressAttribute, resetAddressAttribute } from './modify-address-attribute.ts'
export { modifyImageAttribute, resetImageAttribute } from './modify-image-attribute.ts'
export { modifyInstanceAttribute } from './modify-instance-attribute.ts'
export { modifyInstanceEventStartTime } from './modify-instance-event-start-time.ts'
export { modifyInstanceMetadataDefaults } from './modify-instance-metadata-defaults.ts'
export { modifyInstanceMetadataOptions } from './modify-instance-metadata-options.ts'
export { modifyInstancePlacement } from './modify-instance-placement.ts'
export {
  modifyInstanceCapacityReservationAttributes,
  modifyInstanceMaintenanceOptions,
  modifyPrivateDnsNameOptions,
} from './modify-instance-shown-options.ts'
export { modifyLaunchTemplate } from './modify-launch-template.ts'
export { modifyManagedPrefixList } from './modify-managed-prefix-list.ts'
export {
  modifyNetworkInterfaceAttribute,
  resetNetworkInterfaceAttribute,
} from './modify-network-interface-attribute.ts'
export { modifySecurityGroupRules } from './modify-security-group-rules.ts'
export { modifySubnetAttribute } from './modify-subnet-attribute.ts'
export { modifyVpcAttribute } from './modify-vpc-attribute.ts'
export { modifyVpcPeeringConnectionOptions } from './modify-vpc-peering-connection-options.ts'
export { monitorInstances, unmonitorInstances } from './monitor-instances.ts'
export { rebootInstances } from './reboot-instances.ts'
export { registerImage } from './register-image.ts'
export { releaseAddress } from './release-address.ts'
export { replaceNetworkAclAssociation } from './replace-network-acl-association.ts'
export { resetInstanceAttribute } from './reset-instance-attribute.ts'
export { restoreManagedPrefixListVersion } from './restore-managed-prefix-list-version.ts'
export {
  revokeSecurityGroupEgress,
  revokeSecurityGroupIngress,
} from './revoke-security-group.ts'
export { runInstances } from './run-instances.ts'
export {
  listPoliciesGrantingServiceAccess,
  simulateCustomPolicy,
  simulatePrincipalPolicy,
} from './simulate-policies.ts'
export { startInstances } from './start-instances.ts'
export { stopInstances } from './stop-instances.ts'
export { terminateInstances } from './terminate-instances.ts'
export { unassignPrivateIpAddresses } from './unassign-private-ip-addresses.ts'
export {
  updateSecurityGroupRuleDescriptionsEgress,
  updateSecurityGroupRuleDescriptionsIngress,
} from './update-security-group-rule-descriptions.ts'
export { associateVpcCidrBlock, disassociateVpcCidrBlock } from './vpc-cidr-blocks.ts'
