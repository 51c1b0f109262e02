#include "control/config_watcher.h"

#include "base/limits.h"
#include "config/source_file.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace sluice::control {

namespace {

// Content, names and permissions of entries, and the end of the directory itself. Reading a file is none of these.
constexpr uint32_t watched_events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE |
                                    IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
// The directory is not where it was, or events were lost.
constexpr uint32_t ending_events = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW;
constexpr std::string_view mounted_state = "..data";
constexpr int reads_per_look_max = 64;

std::string absolute(const std::string& path) {
  std::error_code error;
  std::filesystem::path result = std::filesystem::absolute(path, error);
  if (result.filename() == "." || result.filename() == "..") result = std::filesystem::weakly_canonical(path, error);
  std::string text = result.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace

ConfigWatcher::ConfigWatcher(std::vector<std::string> paths) : paths_(std::move(paths)) {
  for (std::string& path : paths_) path = absolute(path);
}

ConfigWatcher::~ConfigWatcher() {
  if (fd_ >= 0) ::close(fd_);
}

// A directory that is the same keeps its descriptor; the others are let go of at the end.
Status ConfigWatcher::restart() {
  if (fd_ < 0) fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd_ < 0 && errno == EMFILE) {
    return failure(
        "the limit of inotify instances of this user, or of open descriptors, is reached: raise the sysctl "
        "fs.inotify.max_user_instances");
  }
  if (fd_ < 0) return failure("inotify: " + errno_text(errno));
  Status status;
  Watches watches;
  for (const std::string& path : paths_) {
    if (Status watched = watch_path(path, watches); !watched) status = std::move(watched);
  }
  for (const auto& [watch, watched] : watches_) {
    if (!watches.contains(watch)) inotify_rm_watch(fd_, watch);
  }
  watches_ = std::move(watches);
  static_cast<void>(read_events());
  change_.reset();
  return status;
}

// The path itself when it is a directory, and the nearest directory above it that is there: of a file it is where the
// file is, of anything that is gone it is where it comes back.
Status ConfigWatcher::watch_path(const std::string& path, Watches& watches) {
  const Result<std::optional<int>> given = watch_directory(path);
  if (!given) return std::unexpected(given.error());
  if (*given) watches[**given].is_given = true;
  for (std::filesystem::path missing = path; missing.has_relative_path(); missing = missing.parent_path()) {
    const Result<std::optional<int>> above = watch_directory(missing.parent_path());
    if (!above) return std::unexpected(above.error());
    if (!*above) continue;
    watches[**above].names.insert(missing.filename());
    break;
  }
  return {};
}

Result<std::optional<int>> ConfigWatcher::watch_directory(const std::string& path) {
  const int watch = inotify_add_watch(fd_, path.c_str(), watched_events);
  if (watch >= 0) return watch;
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP: return std::nullopt;
    case ENOSPC:
      return failure(
          fmt::format("cannot watch {}: the limit of inotify watches of this user is reached: raise the "
                      "sysctl fs.inotify.max_user_watches",
                      path));
    default: return failure(fmt::format("cannot watch {}: {}", path, errno_text(errno)));
  }
}

bool ConfigWatcher::is_due(Time now) {
  if (fd_ < 0) return false;
  if (read_events()) change_ = Change{change_ ? change_->first : now, now};
  return change_ && (now - change_->last >= limits::watch_quiet || now - change_->first >= limits::watch_patience);
}

// What is still there after so many reads waits for the next look.
bool ConfigWatcher::read_events() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  bool has_changed = false;
  for (int i = 0; i < reads_per_look_max; ++i) {
    const ssize_t size = ::read(fd_, buffer.data(), buffer.size());
    if (size <= 0) break;  // EAGAIN: no more; EINTR: the next look sees it
    for (size_t at = 0; at + sizeof(inotify_event) <= static_cast<size_t>(size);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      has_changed = counts(event.wd, {name, strnlen(name, event.len)}, event.mask) || has_changed;
      at += sizeof event + event.len;
    }
  }
  return has_changed;
}

// Events of watches that restart() has let go of may still come.
bool ConfigWatcher::counts(int watch, std::string_view name, unsigned mask) const {
  if ((mask & IN_Q_OVERFLOW) != 0) return true;
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return false;
  if ((mask & ending_events) != 0) return true;
  if (name.empty()) return false;  // of the directory itself: times and permissions
  return name == mounted_state || found->second.names.contains(std::string(name)) ||
         (found->second.is_given && config::is_source_name(name));
}

}  // namespace sluice::control
