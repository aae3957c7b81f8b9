# tenon_add_plugin(NAME FILE.c...): a plugin NAME.so that sees plugin.h and nothing else of tenon. Also for plugins outside of tenon's own
# tree, by find_package(tenon).
function(tenon_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE tenon::plugin)
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" C_STANDARD 99 C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)
endfunction()
