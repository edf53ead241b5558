/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTO_DESCRIPTORS_H
#define PROTO_DESCRIPTORS_H

/*
 * A google.protobuf.FileDescriptorSet of every .proto that the product serves,
 * its imports included.  Built in; what server reflection answers from.
 */
extern const unsigned char proto_descriptors[];
extern const unsigned long proto_descriptors_len;

/*
 * A google.protobuf.FileDescriptorSet of certd's .proto files and what they
 * mention, with their comments (source_code_info), without imports.
 */
extern const unsigned char proto_comments[];
extern const unsigned long proto_comments_len;

#endif
