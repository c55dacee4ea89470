# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The three releases: a real Debian with systemd, made the way a product's team makes one.
#
#   v1  Debian, our device package, the product's application 1.0, one package in an older version where Debian has two
#   v2  application 2.0 (with a file that 1.0 had not), that package updated, one more package
#   v3  v2 with application 3.0, which somebody forgot a file of: its self test, the health check, fails
#
# Debian itself is bootstrapped once (base-KEY: the recipe and what our package depends on are the key) and each release is
# derived from it with dpkg in a copy. The tars are kept (releases-KEY: the base and our package). Expects $cache, $here, $registry_port.

suite=bookworm
# What a device in a virtual machine needs, and a shell over the network; everything else is what these depend on.
image_packages=systemd,systemd-sysv,udev,dbus,kmod,initramfs-tools,zstd,linux-image-cloud-amd64,iproute2,openssh-server,ca-certificates
# Where Debian has two versions of one of these, v1 gets the older and v2 the newer one.
update_candidates='libssl3 openssh-client libgnutls30 libc-bin tzdata libcurl4'
added_package=less

# Debian's own sources as this machine has them: a mirror or a proxy set up here serves the image too.
apt_sources() {
  apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk -v suite=$suite '$1 == "Debian" && $2 == "main" && $3 ~ "^" suite "(-updates|-security)?$" {print "deb " $4 " " $5 " main"}' | sort -u
}

# How this machine's apt reaches them (proxies, retries, clocks), for the one inside.
apt_options() { apt-config dump | grep -iE '^Acquire::((http|https|Retries|Check-Valid-Until|Check-Date|ForceIPv4)(::|[^[:alnum:]-])).*"[^"]+";$' || true; }

recipe_hash() { sha256sum | cut -c1-16; }

# The key of the base: what is in it, from where.
base_key() {
  {
    apt_sources
    echo "$image_packages" "$update_candidates" "$added_package" "${base_depends-$(package_depends)}"
    sed -n '/^make_base/,/^}/p' "$here/quickstart.d/releases.sh"
    cat "$here/quickstart.d/base-hook" "$here/quickstart.d/no-initramfs"
  } | recipe_hash
}

releases_key() {
  {
    base_key
    sha256sum <"$device_deb"
    find "$here/quickstart.d/image" "$here/quickstart.d/app" -type f | LC_ALL=C sort | xargs -d '\n' sha256sum
    echo "$registry_port"
    cat "$here/quickstart.d/releases.sh"
  } | sed "s|$here||" | recipe_hash
}

# The names of what the device package depends on, for the base to have.
package_depends() {
  dpkg-deb -f "$device_deb" Pre-Depends Depends | sed 's/^[A-Za-z-]*: //;s/([^)]*)//g;s/|[^,]*//g' | tr ',' '\n' | tr -d ' ' | sed '/^$/d' | sort -u
}

# The same before there is a package, so that Debian can be bootstrapped beside the build: the libraries behind the -dev packages
# that it is built with, installed or not.
expected_depends() {
  "$here/install-build-deps" --list build | grep -e '-dev$' | xargs apt-cache show --no-all-versions | sed -n 's/^Depends: //p' | tr ',' '\n' |
    sed 's/^ *//;s/[ :(|].*//' | grep '^lib' | grep -v -e '-dev$' -e '-bin$' | sort -u
}

# base_has_all BASE: whether what the device package depends on is in it.
base_has_all() { [ -z "$(comm -13 <(dpkg-query --admindir="$1/root/var/lib/dpkg" -W -f '${Package}\n' | sort -u) <(package_depends))" ]; }

# make_base DIR: bootstraps DIR/root and puts the packages of the later releases into DIR/debs. No initramfs: Debian would make it twice
# (nine seconds each), and v1 makes the one that counts.
make_base() {
  local dir=$1 extra
  rm -rf "$dir.new" && mkdir -p "$dir.new/debs"
  apt_sources >"$dir.new/sources.list"
  [ -s "$dir.new/sources.list" ] || apt-get update
  apt_sources >"$dir.new/sources.list"
  [ -s "$dir.new/sources.list" ] || { echo "this machine's apt has no source of Debian $suite"; return 1; }
  apt_options >"$dir.new/apt.conf"
  extra=$(paste -sd, - <<<"${base_depends-$(package_depends)}")
  SOURCE_DATE_EPOCH=$(date -d 'today 00:00 UTC' +%s) mmdebstrap --mode=root --variant=minbase --format=directory \
    --include="$image_packages${extra:+,$extra}" --aptopt="$dir.new/apt.conf" \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --essential-hook="'$here/quickstart.d/no-initramfs' add \"\$1\"" --customize-hook="'$here/quickstart.d/no-initramfs' remove \"\$1\"" \
    --customize-hook="'$here/quickstart.d/base-hook' \"\$1\" '$dir.new/debs' $added_package $update_candidates" \
    $suite "$dir.new/root" "$dir.new/sources.list" || return
  mv "$dir.new" "$dir"
}

# make_app VERSION OUT.deb: the product's application, as its team would build it.
make_app() {
  local version=$1 out=$2 tree app=$here/quickstart.d/app
  tree=$(mktemp -d "$work/app.XXXXXX")
  chmod 755 "$tree"
  install -D -m 755 <(sed "s/@VERSION@/$version/" "$app/device-app") "$tree/usr/bin/device-app"
  install -D -m 755 "$app/50-device-app" "$tree/usr/lib/hostapp/health.d/required/50-device-app"
  install -D -m 644 "$app/device-app.service" "$tree/lib/systemd/system/device-app.service"
  mkdir -p "$tree/usr/share/device-app" "$tree/etc/systemd/system/multi-user.target.wants" "$tree/DEBIAN"
  ln -s /lib/systemd/system/device-app.service "$tree/etc/systemd/system/multi-user.target.wants/"
  # 3.0 is the release that should never have left the house.
  [ "$version" = 3.0 ] || echo 'temperature /sys/class/thermal' >"$tree/usr/share/device-app/sensors.conf"
  [ "$version" = 1.0 ] || echo "device-app $version reads more sensors" >"$tree/usr/share/device-app/NEWS"
  printf 'Package: device-app\nVersion: %s\nArchitecture: all\nMaintainer: The device team <device@example.org>\nDescription: what this device is for\n' \
    "$version" >"$tree/DEBIAN/control"
  SOURCE_DATE_EPOCH=1700000000 dpkg-deb --root-owner-group -Znone --build "$tree" "$out" >/dev/null
  rm -rf "$tree"
}

in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }

# Installs packages (files of this machine) in $root.
install_debs() {
  local deb
  mkdir -p "$root/tmp/debs"
  for deb in "$@"; do cp "$deb" "$root/tmp/debs/"; done
  in_root sh -c 'dpkg --force-unsafe-io --force-confold -i /tmp/debs/*.deb'
  rm -rf "$root/tmp/debs"
}

# What makes a Debian this device: its network, its registry, who may log in; and away with what a device that is updated as a whole
# has no use for. Packages and their checks stay as Debian has them.
configure_root() {
  cp -R --no-preserve=ownership "$here/quickstart.d/image/." "$root/"
  mkdir -p "$root/etc/containers"
  printf '# Plain HTTP to the registry of this story, and to no other.\n[[registry]]\nlocation = "10.0.2.2:%s"\ninsecure = true\n' "$registry_port" \
    >"$root/etc/containers/registries.conf"
  echo device >"$root/etc/hostname"
  printf '127.0.0.1 localhost device\n' >"$root/etc/hosts"
  : >"$root/etc/machine-id" # empty: made at the first boot, with no questions on the console
  rm -f "$root"/etc/ssh/ssh_host_*_key*
  in_root systemctl -q enable systemd-networkd.service ssh.service
  in_root systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer getty@tty1.service systemd-networkd-wait-online.service
}

# The kernel and its initramfs move to where an image carries them; /boot is the device's.
move_kernel() {
  local kernel version
  for kernel in "$root"/boot/vmlinuz-*; do
    version=${kernel##*/vmlinuz-}
    mv "$kernel" "$root/usr/lib/modules/$version/vmlinuz"
    mv "$root/boot/initrd.img-$version" "$root/usr/lib/modules/$version/initramfs.img"
  done
  rm -f "$root"/boot/System.map-* "$root"/boot/config-* "$root"/vmlinuz* "$root"/initrd.img*
}

# What is installed belongs to the release, not to the device: dpkg's database leaves /var, which outlives releases.
move_dpkg_database() {
  mkdir -p "$root/usr/lib/sysimage"
  mv "$root/var/lib/dpkg" "$root/usr/lib/sysimage/dpkg"
  ln -s ../../usr/lib/sysimage/dpkg "$root/var/lib/dpkg"
}

# Names the release in os-release, where status and people look, and makes its tar.
tar_release() {
  local version=$1 out=$2
  in_root dpkg-query -W -f '${Package} ${Version}\n' >"${out%.tar*}.packages"
  sed -i '/^IMAGE_/d' "$root/usr/lib/os-release"
  printf 'IMAGE_ID=device\nIMAGE_VERSION=%s\n' "$version" >>"$root/usr/lib/os-release"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old "$root"/usr/lib/sysimage/dpkg/*-old "$root"/var/log/*.log "$root"/run/* "$root"/tmp/*
  rm -f "$root"/etc/*- "$root"/etc/resolv.conf "$root"/var/cache/ldconfig/aux-cache
  tar --sort=name --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*' -C "$root" -cf "$out" .
}

# make_first_release DIR BASE: DIR/v1.tar, and DIR/root for the later ones.
make_first_release() {
  local dir=$1 base=$2 root=$1/root version
  rm -rf "$dir" && mkdir -p "$dir"
  cp -a --reflink=auto "$base/root" "$root"
  for version in 1.0 2.0 3.0; do make_app $version "$dir/app-$version.deb"; done
  echo 'v1: our device package, application 1.0'
  configure_root
  install_debs "$device_deb" "$dir/app-1.0.deb"
  in_root update-initramfs -c -k "$(ls "$root/lib/modules")"
  move_kernel
  move_dpkg_database
  tar_release 1 "$dir/v1.tar"
}

# make_later_releases DIR BASE: v2.tar and v3.tar. With the last of them DIR is whole.
make_later_releases() {
  local dir=$1 base=$2 root=$1/root
  echo 'v2: application 2.0, updated packages'
  install_debs "$base"/debs/*.deb "$dir/app-2.0.deb"
  tar_release 2 "$dir/v2.tar"
  echo 'v3: application 3.0, broken'
  install_debs "$dir/app-3.0.deb"
  tar_release 3 "$dir/v3.tar.new"
  rm -rf "$root" "$dir"/app-*.deb
  mv "$dir/v3.tar.new" "$dir/v3.tar"
}

# forget_old PREFIX KEEP: only the newest kind of each is kept in the cache.
forget_old() {
  local path
  for path in "$cache/$1"-*; do [ "$path" = "$cache/$1-$2" ] || rm -rf "$path"; done
}
