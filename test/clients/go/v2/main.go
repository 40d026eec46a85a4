// Makes, uses and removes an instance and its network with the AWS SDK for Go v2. Prints what each
// step said (null: it did what it should). Arguments: the API's address, and an image.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const patience = 3 * time.Minute

var rows [][2]*string

func step(what string, work func() error) {
	row := [2]*string{&what, nil}
	// What an earlier step did not make.
	defer func() {
		if missing := recover(); missing != nil {
			said := fmt.Sprint(missing)
			row[1] = &said
		}
		rows = append(rows, row)
	}()
	if err := work(); err != nil {
		said := err.Error()
		row[1] = &said
	}
}

func expect(ok bool, found interface{}) error {
	if ok {
		return nil
	}
	return fmt.Errorf("it says %v", found)
}

// The first error of several calls.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func second(_ interface{}, err error) error { return err }

func refused(err error, code string) error {
	var failed smithy.APIError
	if errors.As(err, &failed) && failed.ErrorCode() == code {
		return nil
	}
	return fmt.Errorf("not %s: %v", code, err)
}

func main() {
	endpoint, image := os.Args[1], aws.String(os.Args[2])
	ctx := context.Background()
	resolver := aws.EndpointResolverWithOptionsFunc(func(service, region string, _ ...interface{}) (aws.Endpoint, error) {
		return aws.Endpoint{URL: endpoint, SigningRegion: region}, nil
	})
	here, err := config.LoadDefaultConfig(ctx, config.WithEndpointResolverWithOptions(resolver))
	if err != nil {
		panic(err)
	}
	client := ec2.NewFromConfig(here)
	var vpc, subnet, group, instance *string

	step("sts: GetCallerIdentity", func() error {
		return second(sts.NewFromConfig(here).GetCallerIdentity(ctx, nil))
	})
	step("types on pages", func() error {
		count := 0
		pages := ec2.NewDescribeInstanceTypesPaginator(client, &ec2.DescribeInstanceTypesInput{MaxResults: aws.Int32(5)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			count += len(page.InstanceTypes)
		}
		return expect(count > 5, count)
	})
	step("networks", func() error {
		made, err := client.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.45.0.0/16")})
		if err != nil {
			return err
		}
		vpc = made.Vpc.VpcId
		err = ec2.NewVpcAvailableWaiter(client).Wait(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{*vpc}}, patience)
		if err != nil {
			return err
		}
		part, err := client.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc, CidrBlock: aws.String("10.45.1.0/24")})
		if err != nil {
			return err
		}
		subnet = part.Subnet.SubnetId
		return ec2.NewSubnetAvailableWaiter(client).Wait(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{*subnet}}, patience)
	})
	step("security groups", func() error {
		made, err := client.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
			GroupName: aws.String("go"), Description: aws.String("go"), VpcId: vpc})
		if err != nil {
			return err
		}
		group = made.GroupId
		allow := &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group, IpPermissions: []types.IpPermission{{
			IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
			IpRanges: []types.IpRange{{CidrIp: aws.String("192.0.2.0/24"), Description: aws.String("ssh")}}}}}
		err = second(client.AuthorizeSecurityGroupIngress(ctx, allow))
		_, again := client.AuthorizeSecurityGroupIngress(ctx, allow)
		return all(err, refused(again, "InvalidPermission.Duplicate"))
	})
	step("instances: launch, wait, status", func() error {
		order := &ec2.RunInstancesInput{
			ImageId: image, InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
			SubnetId: subnet, SecurityGroupIds: []string{*group},
			UserData: aws.String(base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\n"))),
			TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance,
				Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("go2")}}}}}
		order.DryRun = aws.Bool(true)
		_, dry := client.RunInstances(ctx, order)
		order.DryRun = nil
		made, err := client.RunInstances(ctx, order)
		if err != nil {
			return err
		}
		instance = made.Instances[0].InstanceId
		one := []string{*instance}
		return all(refused(dry, "DryRunOperation"),
			ec2.NewInstanceExistsWaiter(client).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: one}, patience),
			ec2.NewInstanceRunningWaiter(client).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: one}, patience),
			ec2.NewInstanceStatusOkWaiter(client).Wait(ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: one}, patience))
	})
	step("instances: filters and pages", func() error {
		found := []string{}
		pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5),
			Filters: []types.Filter{{Name: aws.String("tag:Name"), Values: []string{"go2"}}}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, reservation := range page.Reservations {
				for _, one := range reservation.Instances {
					found = append(found, *one.InstanceId)
				}
			}
		}
		return expect(len(found) == 1 && found[0] == *instance, found)
	})
	step("errors", func() error {
		_, missing := client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef0"}})
		_, user := iam.NewFromConfig(here).GetUser(ctx, &iam.GetUserInput{UserName: aws.String("nobody")})
		return all(refused(missing, "InvalidInstanceID.NotFound"), refused(user, "NoSuchEntity"))
	})
	step("instances: stop, terminate", func() error {
		one := []string{*instance}
		return all(
			second(client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: one})),
			ec2.NewInstanceStoppedWaiter(client).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: one}, patience),
			second(client.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: one})),
			ec2.NewInstanceTerminatedWaiter(client).Wait(ctx, &ec2.DescribeInstancesInput{InstanceIds: one}, patience))
	})
	step("everything is removed", func() error {
		return all(
			second(client.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: group})),
			second(client.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: subnet})),
			second(client.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: vpc})))
	})
	_ = json.NewEncoder(os.Stdout).Encode(rows)
}
