// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace hostapp {

// All that mke2fs.conf would say otherwise: what GRUB 2.06 and every kernel of the last years read.
inline constexpr const char* kExt4Features =
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,metadata_csum";

}  // namespace hostapp
