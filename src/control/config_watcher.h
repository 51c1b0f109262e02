// Says when the files of the configuration have changed (inotify(7)): `sluice run --watch`. Control thread.
//
// Watched are the directories that were given, the directories of files that were given, and those above them in which
// one of these may appear again. A symbolic link in them is watched, not what it points to elsewhere; a kubelet's swap
// of ..data is such a link.
#pragma once

#include "base/durations.h"
#include "base/result.h"

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::control {

class ConfigWatcher {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit ConfigWatcher(std::vector<std::string> paths);
  ConfigWatcher(const ConfigWatcher&) = delete;
  ConfigWatcher& operator=(const ConfigWatcher&) = delete;
  ~ConfigWatcher();

  // Watches what is there now, and forgets what has changed so far: to be called before the files are read, so that
  // nothing falls between reading and watching. The error says which limit to raise; what could be watched is.
  [[nodiscard]] Status restart();

  // Whether something has changed since restart(), and has been quiet for limits::watch_quiet or has gone on for
  // limits::watch_patience: then it is time to reload. Never waits.
  [[nodiscard]] bool is_due(Time now);

 private:
  struct Watched {
    bool is_given = false;        // every file that sluice would read counts
    std::set<std::string> names;  // these entries count, whatever they are
  };

  using Watches = std::map<int, Watched>;  // by watch descriptor

  [[nodiscard]] Status watch_path(const std::string& path, Watches& watches);
  // Nothing, and no error: there is no such directory.
  [[nodiscard]] Result<std::optional<int>> watch_directory(const std::string& path);
  // Whether anything happened that counts.
  [[nodiscard]] bool read_events();
  [[nodiscard]] bool counts(int watch, std::string_view name, unsigned mask) const;

  std::vector<std::string> paths_;  // absolute
  int fd_ = -1;                     // until the first restart()
  Watches watches_;
  struct Change {
    Time first;
    Time last;
  };
  std::optional<Change> change_;
};

}  // namespace sluice::control
