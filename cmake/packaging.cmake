# SPDX-License-Identifier: Apache-2.0
# What is installed where, and the two Debian packages made of it (cpack in the build folder, or the target `package`):
#   hostapp        component "device": for the image of a device: programs, helper, initramfs hooks, units
#   hostapp-image  component "image":  for the machine where releases are made
# Included last: it names targets of all floors.

# hostapp_install(COMPONENT DESTINATION TARGET): a program.
function(hostapp_install COMPONENT DESTINATION TARGET)
  if(NOT TARGET ${TARGET})
    message(FATAL_ERROR "packaging: no target ${TARGET}; cmake/packaging.cmake names what is installed")
  endif()
  install(TARGETS ${TARGET} RUNTIME DESTINATION ${DESTINATION} COMPONENT ${COMPONENT})
endfunction()

# The man pages and completions that stand in a tool's folder.
function(hostapp_install_documentation COMPONENT TOOL)
  foreach(section 1 5 7 8)
    file(GLOB pages CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tools/${TOOL}/*.${section}" "${CMAKE_SOURCE_DIR}/tools/${TOOL}/man/*.${section}")
    install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${COMPONENT})
  endforeach()
  set(completions "${CMAKE_SOURCE_DIR}/tools/${TOOL}/completions")
  if(EXISTS "${completions}/${TOOL}.bash")
    install(FILES "${completions}/${TOOL}.bash" RENAME ${TOOL} DESTINATION share/bash-completion/completions COMPONENT ${COMPONENT})
  endif()
  if(EXISTS "${completions}/${TOOL}.zsh")
    install(FILES "${completions}/${TOOL}.zsh" RENAME _${TOOL} DESTINATION share/zsh/vendor-completions COMPONENT ${COMPONENT})
  endif()
  if(EXISTS "${completions}/${TOOL}.fish")
    install(FILES "${completions}/${TOOL}.fish" DESTINATION share/fish/vendor_completions.d COMPONENT ${COMPONENT})
  endif()
endfunction()

# The device's package.
hostapp_install(device bin hostapp)
# By its place beside bin: tools/hostapp/store_program.h.
hostapp_install(device libexec/hostapp hostapp-store)
hostapp_install(device lib/hostapp hostapp-init)
hostapp_install_documentation(device hostapp)
set(units "${CMAKE_SOURCE_DIR}/tools/systemd")
install(FILES ${units}/hostapp-reconcile.service ${units}/hostapp-health.service ${units}/hostapp-give-back.service
  ${units}/hostapp-grow.service ${units}/hostapp-upgrade.service ${units}/hostapp-upgrade.timer
  DESTINATION lib/systemd/system COMPONENT device)
install(FILES ${units}/systemd-bless-boot.service.d/hostapp.conf
  DESTINATION lib/systemd/system/systemd-bless-boot.service.d COMPONENT device)
# Wanted from /usr, not enabled in /etc: a device whose /etc begins anew still proves its releases. The timer is the owner's choice.
file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/wants")
foreach(unit hostapp-reconcile.service hostapp-health.service hostapp-give-back.service hostapp-grow.service)
  set(link "${CMAKE_CURRENT_BINARY_DIR}/wants/${unit}")
  file(CREATE_LINK ../${unit} "${link}" SYMBOLIC)
  install(FILES "${link}" DESTINATION lib/systemd/system/multi-user.target.wants COMPONENT device)
endforeach()
# Where images and owners put their health checks.
foreach(kind required wanted)
  install(DIRECTORY DESTINATION lib/hostapp/health.d/${kind} COMPONENT device)
  install(DIRECTORY DESTINATION /etc/hostapp/health.d/${kind} COMPONENT device)
endforeach()

# The build machine's.
hostapp_install(image bin hostapp-image)
hostapp_install_documentation(image hostapp-image)

install(FILES "${CMAKE_SOURCE_DIR}/LICENSE" RENAME copyright DESTINATION share/doc/hostapp COMPONENT device)
install(FILES "${CMAKE_SOURCE_DIR}/LICENSE" RENAME copyright DESTINATION share/doc/hostapp-image COMPONENT image)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hostapp)
set(CPACK_PACKAGE_VENDOR "The hostapp authors")
set(CPACK_PACKAGE_CONTACT "The hostapp authors <hostapp@example.org>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_OUTPUT_FILE_PREFIX "${CMAKE_BINARY_DIR}/packages")
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL device image)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(CPACK_DEBIAN_DEVICE_PACKAGE_NAME hostapp)
set(CPACK_DEBIAN_DEVICE_PACKAGE_SECTION admin)
set(CPACK_COMPONENT_DEVICE_DESCRIPTION "operating systems as container images, on the device
Keeps releases in a content-addressed store, deploys them beside the running
one, boots a new one on trial and goes back by itself when it fails.")
set(CPACK_DEBIAN_DEVICE_PACKAGE_RECOMMENDS "ca-certificates, dosfstools, initramfs-tools | dracut")
# What `hostapp install` runs; a device itself never needs them.
set(CPACK_DEBIAN_DEVICE_PACKAGE_SUGGESTS "e2fsprogs, xfsprogs, btrfs-progs, mtools, grub-common, grub-pc-bin, grub-efi-amd64-bin")
# The helper belongs into the initramfs: whichever generator is there makes it again.
file(WRITE "${CMAKE_BINARY_DIR}/packaging/triggers" "activate-noawait update-initramfs\n")
set(CPACK_DEBIAN_DEVICE_PACKAGE_CONTROL_EXTRA "${CMAKE_BINARY_DIR}/packaging/triggers")

set(CPACK_DEBIAN_IMAGE_PACKAGE_NAME hostapp-image)
set(CPACK_DEBIAN_IMAGE_PACKAGE_SECTION utils)
set(CPACK_COMPONENT_IMAGE_DESCRIPTION "operating systems as container images, where they are made
Packs root file systems into container images, copies them between registries
and layouts, compares releases and says what an update costs.")
# mke2fs and e2fsck.
set(CPACK_DEBIAN_IMAGE_PACKAGE_RECOMMENDS "e2fsprogs, mtools, grub-common, grub-pc-bin, grub-efi-amd64-bin, systemd-boot-efi")
include(CPack)
