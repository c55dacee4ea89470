// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/uboot_script.h"

#include <array>
#include <utility>
#include <vector>

#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/crc32.h"

namespace hostapp {
namespace {

// @NAME@ is filled in. What U-Boot can and cannot do decides the form. A piece that is used twice is a variable for
// `run`, on one line. `filesize` keeps its value when a load fails: it is only looked at after one that did not. A
// variable that a block does not have is deleted by `env import`.
constexpr std::string_view kPieces = R"(
setenv hostapp_dir @TOP@/hostapp/uboot
setenv hostapp_state 'hostapp_default hostapp_trial hostapp_tries'

# Reads ${hostapp_file}; hostapp_known says whether its CRC is right.
setenv hostapp_read 'setenv hostapp_known 0; if load @FROM@ @KERNEL@ ${hostapp_dir}/${hostapp_file}; then if test "${filesize}" = 200; then if env import -c @KERNEL@ 200 ${hostapp_state}; then setenv hostapp_known 1; fi; fi; fi'

# Loads ${hostapp_name} of the boot set; hostapp_ok says whether it is all there. A damaged kernel may hang. The result
# of crc32 is in one order of bytes or the other.
setenv hostapp_fetch 'setenv hostapp_ok 0; if load @FROM@ ${hostapp_at} @TOP@/hostapp/${hostapp_set}/${hostapp_name}; then if test "${filesize}" = "${hostapp_size}"; then if crc32 ${hostapp_at} ${filesize} @SCRATCH@; then if itest.l *@SCRATCH@ == ${hostapp_crc}; then setenv hostapp_ok 1; fi; if itest.l *@SCRATCH@ == ${hostapp_swapped_crc}; then setenv hostapp_ok 1; fi; fi; fi; fi; if test ${hostapp_ok} = 0; then echo "hostapp: ${hostapp_name} of deployment ${hostapp_serial} is damaged on the boot file system"; fi'
setenv hostapp_fetch_initrd 'setenv hostapp_name initrd; setenv hostapp_at @INITRD@; setenv hostapp_size ${hostapp_initrd_size}; setenv hostapp_crc ${hostapp_initrd_crc}; setenv hostapp_swapped_crc ${hostapp_initrd_swapped_crc}; run hostapp_fetch'
setenv hostapp_fetch_kernel 'setenv hostapp_name linux; setenv hostapp_at @KERNEL@; setenv hostapp_size ${hostapp_kernel_size}; setenv hostapp_crc ${hostapp_kernel_crc}; setenv hostapp_swapped_crc ${hostapp_kernel_swapped_crc}; run hostapp_fetch'

# Starts deployment ${hostapp_serial}, or comes back when it is damaged.
setenv hostapp_boot '@BOOT@'
setenv hostapp_start 'setenv hostapp_entry 0; if load @FROM@ @KERNEL@ ${hostapp_dir}/entries/${hostapp_serial}.env; then if test "${filesize}" = 1000; then env import -c @KERNEL@ 1000 hostapp_entry hostapp_set bootargs hostapp_kernel_size hostapp_kernel_crc hostapp_kernel_swapped_crc hostapp_initrd_size hostapp_initrd_crc hostapp_initrd_swapped_crc; fi; fi; if test "${hostapp_entry}" = "${hostapp_serial}"; then run hostapp_fetch_initrd; if test ${hostapp_ok} = 1; then run hostapp_fetch_kernel; fi; if test ${hostapp_ok} = 1; then echo "hostapp: starting deployment ${hostapp_serial}"; run hostapp_boot; fi; else echo "hostapp: the entry of deployment ${hostapp_serial} is damaged on the boot file system"; fi'

setenv hostapp_known 0
for hostapp_copy in 0 1; do
  if test ${hostapp_known} = 0; then
    setenv hostapp_file state-${hostapp_copy}
    run hostapp_read
  fi
done
if test ${hostapp_known} = 0; then
  echo "hostapp: both copies of the state are lost"
  setenv hostapp_default 0
  setenv hostapp_trial 0
  setenv hostapp_tries 0
fi
)";

// The count goes down by cases. It is in both copies, and read back, before the trial is touched.
constexpr std::string_view kTrialCountedHere = R"(
# The trial: only with a try that is counted, on disk, before it is started.
if test "${hostapp_trial}" != 0; then
  setenv hostapp_left none
  setenv hostapp_before none
  for hostapp_count in 0 1 2 3 4 5 6 7 8 9; do
    if test "${hostapp_count}" = "${hostapp_tries}"; then
      setenv hostapp_left ${hostapp_before}
    fi
    setenv hostapp_before ${hostapp_count}
  done
  if test ${hostapp_left} != none; then
    setenv hostapp_tries ${hostapp_left}
    if env export -c -s 200 @KERNEL@ ${hostapp_state}; then
      if save @FROM@ @KERNEL@ ${hostapp_dir}/state-1 200; then
        if save @FROM@ @KERNEL@ ${hostapp_dir}/state-0 200; then
          setenv hostapp_tries none
          setenv hostapp_file state-0
          run hostapp_read
          if test "${hostapp_known}${hostapp_tries}" = "1${hostapp_left}"; then
            setenv hostapp_serial ${hostapp_trial}
            run hostapp_start
          fi
        fi
      fi
    fi
  fi
fi
)";

constexpr std::string_view kTrialCountedByTheBoard = R"(
# The trial: while the board has not counted more starts in a row than it has tries; never without that count.
if test "${hostapp_trial}" != 0 && test -n "${bootcount}" && test -z "${hostapp_no_trial}"; then
  if itest ${bootcount} <= ${hostapp_tries}; then
    setenv hostapp_serial ${hostapp_trial}
    run hostapp_start
  fi
fi
)";

constexpr std::string_view kDefaultAndProven = R"(
if test "${hostapp_default}" != 0; then
  setenv hostapp_serial ${hostapp_default}
  run hostapp_start
fi

# The state is lost, or what it names is damaged: what was once marked good, the newest first.
setenv hostapp_proven 0
if load @FROM@ @KERNEL@ ${hostapp_dir}/proven; then
  if test "${filesize}" = 200; then
    env import -c @KERNEL@ 200 hostapp_proven
  fi
fi
for hostapp_next in ${hostapp_proven}; do
  if test ${hostapp_next} != 0; then
    setenv hostapp_serial ${hostapp_next}
    run hostapp_start
  fi
done

echo "hostapp: no deployment can be started; restarting in 30 seconds"
sleep 30
reset
)";

constexpr std::string_view kZboot = "zboot @KERNEL@ ${hostapp_kernel_size} @INITRD@ ${hostapp_initrd_size}";
constexpr std::string_view kBooti =
    "setenv hostapp_fdt ${fdtcontroladdr}; if test -n \"${fdtfile}\"; then if load @FROM@ ${fdt_addr_r} "
    "@TOP@/hostapp/${hostapp_set}/dtb/${fdtfile}; then setenv hostapp_fdt ${fdt_addr_r}; fi; fi; "
    "booti @KERNEL@ @INITRD@:${hostapp_initrd_size} ${hostapp_fdt}";

using Value = std::pair<std::string_view, std::string>;

std::string Fill(std::string_view text, const std::vector<Value>& values) {
  std::string filled(text);
  for (const auto& [name, value] : values) {
    for (size_t at = filled.find(name); at != std::string::npos; at = filled.find(name, at + value.size()))
      filled.replace(at, name.size(), value);
  }
  return filled;
}

// Where on x86 the kernel unpacks itself, U-Boot's own address for an initrd would be overwritten. On arm64 boards
// bring addresses of their own. The scratch word lies on the header of the script's image, which is no longer needed.
std::vector<Value> ValuesOf(const UbootScriptOptions& options) {
  std::vector<Value> values;
  if (options.arch == UbootArch::kX86) {
    values = {{"@BOOT@", std::string(kZboot)},
              {"@KERNEL@", "0x1000000"},
              {"@INITRD@", "0x10000000"},
              {"@SCRATCH@", "0x6000000"}};
  } else {
    values = {{"@BOOT@", std::string(kBooti)},
              {"@KERNEL@", "${kernel_addr_r}"},
              {"@INITRD@", "${ramdisk_addr_r}"},
              {"@SCRATCH@", "${scriptaddr}"}};
  }
  values.emplace_back("@FROM@", "${devtype} ${devnum}:${distro_bootpart}");
  values.emplace_back("@TOP@", options.top);
  return values;
}

constexpr uint32_t kImageMagic = 0x27051956;
constexpr size_t kImageNameBytes = 32;
constexpr uint8_t kOsLinux = 5, kArchX86 = 3, kArchArm64 = 22, kTypeScript = 6, kNotCompressed = 0;

std::string BigEndian(uint32_t number) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

// u32 magic, CRC of the header (with this field 0), time, size, load address, entry, CRC of the data; u8 operating
// system, architecture, type, compression; a name of 32 bytes.
std::string ImageHeader(std::string_view data, uint8_t arch, uint32_t header_crc) {
  std::string header = BigEndian(kImageMagic) + BigEndian(header_crc) + BigEndian(0) +
                       BigEndian(static_cast<uint32_t>(data.size())) + BigEndian(0) + BigEndian(0) +
                       BigEndian(Crc32(AsBytes(data)));
  for (const uint8_t byte : {kOsLinux, arch, kTypeScript, kNotCompressed}) header += static_cast<char>(byte);
  std::string name = "hostapp";
  name.resize(kImageNameBytes, '\0');
  return header + name;
}

}  // namespace

std::string UbootScript(const UbootScriptOptions& options) {
  const bool counts = options.counting == UbootCounting::kState;
  return "# Made by hostapp, never changed afterwards: what is started stands in hostapp/uboot/.\n" +
         Fill(StrCat(kPieces.substr(1), counts ? kTrialCountedHere : kTrialCountedByTheBoard, kDefaultAndProven),
              ValuesOf(options));
}

std::string UbootBootcountEnvironment() {
  // Nine is the most tries that a trial can have; the script itself compares with those that it has.
  return "bootlimit=9\naltbootcmd=setenv hostapp_no_trial 1; run bootcmd\n";
}

std::string UbootScriptImage(std::string_view script, UbootArch arch) {
  // A list of lengths, ended by 0, and then the scripts: there is one.
  const std::string data = StrCat(BigEndian(static_cast<uint32_t>(script.size())), BigEndian(0), script);
  const uint8_t machine = arch == UbootArch::kX86 ? kArchX86 : kArchArm64;
  const uint32_t crc = Crc32(AsBytes(ImageHeader(data, machine, 0)));
  return ImageHeader(data, machine, crc) + data;
}

}  // namespace hostapp
