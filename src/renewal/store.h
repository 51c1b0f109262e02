// The files of --state-dir: what sluice has obtained, and what it needs to go on after any end of the process.
//
//   lock                        held by the process that manages certificates here (flock(2))
//   secrets/NAMESPACE.NAME.yaml    issued certificates with their keys: Secrets, which are read with the documents
//   certificates/NAMESPACE.NAME.json  renewal/record.h
//   accounts/DIGEST.json        ACME accounts: key and URL
//
// Directories have mode 0700, files 0600. A file is written whole, synchronised and renamed (base/write_file.h): a
// process that is killed leaves the old one or the new one. One thread.
#pragma once

#include "base/result.h"
#include "config/managed_certificates.h"
#include "renewal/record.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::renewal {

// An ACME account at one server.
struct StoredAccount {
  std::string server;   // URL of its directory
  std::string url;      // empty: the key is there, the account may be
  std::string key_pem;  // PKCS#8; wiped at the end

  StoredAccount() = default;
  StoredAccount(const StoredAccount&) = default;
  StoredAccount(StoredAccount&&) noexcept = default;
  StoredAccount& operator=(const StoredAccount&) = default;
  StoredAccount& operator=(StoredAccount&&) noexcept = default;
  ~StoredAccount();
};

// When each was written, to tell whether it has changed.
using SecretTimes = std::map<config::ObjectKey, WallTime>;

class Store {
 public:
  // Makes the directories. Fails with the path, the cause and the remedy: no permission, a file in their place, a
  // directory that others may write into.
  [[nodiscard]] static Result<Store> open(std::string directory);

  // To read what is there, if anything is: changes nothing.
  [[nodiscard]] static Store look_at(std::string directory) { return Store(std::move(directory)); }

  Store(Store&& other) noexcept;
  Store& operator=(Store&& other) noexcept;
  ~Store();  // gives the lock up

  // Where the issued Secrets are: one more folder of documents.
  [[nodiscard]] static std::string secrets_folder(std::string_view directory);

  // Whether this process may change what is here, from now on until the end; false: another one does. Asked again,
  // since that may end.
  [[nodiscard]] bool take_lock();

  // --- Certificates ---
  // Nothing: there is none, or it is damaged, which is logged. Fails when nobody knows, since the file cannot be read:
  // nothing may be obtained then.
  [[nodiscard]] Result<std::optional<Record>> read_record(const config::ObjectKey& certificate) const;
  [[nodiscard]] Status write_record(const config::ObjectKey& certificate, const Record& record);
  [[nodiscard]] std::vector<config::ObjectKey> certificates() const;  // sorted
  [[nodiscard]] Status remove_record(const config::ObjectKey& certificate);

  // --- Secrets ---
  // The YAML text, which the caller wipes; nothing: there is none.
  [[nodiscard]] Result<std::optional<std::string>> read_secret(const config::ObjectKey& secret) const;
  [[nodiscard]] Status write_secret(const config::ObjectKey& secret, std::string_view yaml);
  // A person's, at any time: a file is replaced as a whole, whoever has the lock.
  [[nodiscard]] Status write_imported_secret(const config::ObjectKey& secret, std::string_view yaml);
  // Changes when a Secret is written or removed, by any process.
  [[nodiscard]] WallTime secrets_changed() const;
  [[nodiscard]] SecretTimes secret_times() const;

  // --- Accounts ---
  // `id` is any text that names it: the server, and who one is there. Fails when there is one that cannot be read.
  [[nodiscard]] Result<std::optional<StoredAccount>> read_account(std::string_view id) const;
  [[nodiscard]] Status write_account(std::string_view id, const StoredAccount& account);

 private:
  explicit Store(std::string directory) : directory_(std::move(directory)) {}
  void remove_leftovers() const;
  [[nodiscard]] std::string path_of(std::string_view folder, const config::ObjectKey& object,
                                    std::string_view ending) const;
  [[nodiscard]] std::string account_path(std::string_view id) const;

  std::string directory_;
  int lock_ = -1;  // the open lock file; -1: not asked for yet, or another process has it
};

}  // namespace sluice::renewal
